"""The relations that rules can name, by the names that the tests of rules use."""

from ultravires.build.rule_relations import rule_relations
from ultravires_models.relation import find_relation

RELATIONS = rule_relations()
STEP_FACTS = find_relation(RELATIONS, "ultravires", "step_facts")
APPROVAL_FACTS = find_relation(RELATIONS, "ultravires", "approval_facts")
DRIFT = find_relation(RELATIONS, "ultravires", "drift")
CHAIN_STEPS = find_relation(RELATIONS, "ultravires", "chain_steps")
AWS_CLOUDTRAIL = find_relation(RELATIONS, "aws", "cloudtrail")

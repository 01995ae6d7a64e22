-- grain: one row per answer to one right in an access review
-- build: full
-- why: whose right it is under its declared names, and which later answer took an answer's place

-- A right is the same one while its holder has the same by the same way.
select
    review_answers.* exclude (file_hash),
    coalesce(resolved.identity_id, review_answers.holder_uid) as identity_id,
    lead(review_answers.decided_at) over (
        partition by
            review_answers.holder_uid, review_answers.effect, review_answers.action_pattern, review_answers.resource_pattern,
            review_answers.except_actions, review_answers.except_resources, review_answers.scope_uid, review_answers.condition, review_answers.path
        order by review_answers.decided_at, review_answers.answer_id
    ) as replaced_at
from review_answers
cross join run_context
left join int_identities__resolved as resolved
    on resolved.alias_uid = review_answers.holder_uid and holds_at(run_context.as_of, resolved.valid_from, resolved.valid_until)

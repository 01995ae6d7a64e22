"""What policies say: statements and a question in, an answer out.

Answers are `allow`, `deny` or `unknown`. What a log does not tell (a condition on a key that no record has, a document
that cannot be read) is `unknown` wherever it could change the answer, and never counts as allowed. Everything here is a
pure function of its arguments. `decide` follows AWS, `decide_in_scopes` the systems that grant at scopes of a hierarchy
(Azure, Google Cloud, Kubernetes).
"""

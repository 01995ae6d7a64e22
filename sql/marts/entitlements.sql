-- grain: one row per approval, action pattern and resource pattern
-- build: full
-- why: the approved layer: what an identity may do, where and until when, in the approval's own words

with patterns as (
    select
        approvals.identity_id,
        substr(approvals.approval_id, 10) as approval_uid,
        approvals.event_id,
        approvals.valid_from,
        approvals.ends_at as valid_until,
        unnest(case when array_length(approvals.actions) > 0 then approvals.actions else ['*'] end) as action_pattern,
        approvals.resources
    from approvals
    where approvals.is_granted and approvals.origin = 'ticket'
),

crossed as (
    select * exclude (resources), unnest(case when array_length(resources) > 0 then resources else ['*'] end) as resource_pattern
    from patterns
)

select distinct
    'en_' || substr(sha256(approval_uid || chr(31) || action_pattern || chr(31) || resource_pattern), 1, 20) as entitlement_id,
    identity_id,
    'approved' as layer,
    action_pattern,
    resource_pattern,
    valid_from,
    valid_until,
    approval_uid,
    event_id
from crossed

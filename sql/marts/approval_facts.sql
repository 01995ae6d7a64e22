-- grain: one row per approval
-- build: full
-- why: what a rule asks of an approval itself: who asked, who answered, how fast, and whether its risk demands more

with judged as (
    select
        stg_approvals.*,
        coalesce(resolved.identity_id, stg_approvals.subject_uid) as identity_id,
        seconds_between(stg_approvals.requested_at, stg_approvals.approved_at) as answer_seconds,
        coalesce(risk_tiers.human_approval, false) as is_high_risk,
        coalesce(risk_tiers.least_answer_seconds, 0) as least_answer_seconds,
        lower(coalesce(requester.identity_id, stg_approvals.requested_by)) as requester,
        lower(coalesce(approver.identity_id, stg_approvals.approved_by)) as approver
    from stg_approvals
    left join risk_tiers on risk_tiers.tier = lower(stg_approvals.risk)
    left join int_identities__resolved as requester
        on requester.alias_uid = stg_approvals.requested_by
        and holds_at(stg_approvals.event_at, requester.valid_from, requester.valid_until)
    left join int_identities__resolved as approver
        on approver.alias_uid = stg_approvals.approved_by
        and holds_at(stg_approvals.event_at, approver.valid_from, approver.valid_until)
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_approvals.subject_uid
        and holds_at(stg_approvals.event_at, resolved.valid_from, resolved.valid_until)
)

select
    judged.approval_id,
    judged.approval_uid,
    judged.event_id,
    judged.event_at,
    judged.event_hour,
    chain_steps.chain_id,
    judged.identity_id,
    judged.subject_uid,
    judged.requested_by,
    judged.approved_by,
    judged.status,
    judged.origin,
    judged.risk,
    judged.task,
    judged.answer_seconds,
    -- Two names of one identity are one. A person who asks an agent for something approves the asking by asking; only tickets have two sides.
    case
        when judged.origin = 'ticket' and judged.is_granted and judged.approved_by is not null
            then coalesce(judged.approver = judged.requester, false)
                or coalesce(judged.approver = lower(judged.identity_id), false)
    end as is_self_approved,
    judged.is_high_risk,
    case
        when judged.origin = 'ticket' and judged.is_granted and judged.is_high_risk
            then judged.answer_seconds < judged.least_answer_seconds
    end as is_hasty,
    judged.event_ids as evidence_event_ids
from judged
join chain_steps on chain_steps.step_id = judged.approval_id

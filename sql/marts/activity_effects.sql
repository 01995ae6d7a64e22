-- grain: one row per activity, effect and kind of target
-- build: by_key activity_id
-- why: what every act of every log does to power, evidence and data, to whom, how much that is, and whether an approval lists it, in one shape for all rules
-- units: select activity_id from stg_effects
-- dirty: select activity_id from delta_stg_effects
-- dirty: select step_id from delta_step_facts
-- dirty: select activity_id from delta_stg_activities
-- dirty: select tool_call_id from delta_stg_tool_calls
-- dirty: select parent_id from delta_links where kind in ('activity>tool_call', 'tool_call>tool_call')
-- dirty: select links.parent_id from delta_links as changed join links on links.child_id = changed.parent_id and links.kind = 'tool_call>tool_call' where changed.kind = 'activity>tool_call'
-- dirty: select 'activity:' || event_id from delta_entitlements where event_id is not null
-- dirty: select activity_id from delta_entitlements join stg_effects on stg_effects.effect = 'issues_credential' and list_contains(target_uids, holder_uid)
-- dirty: select activity_id from delta_int_identities__resolved join stg_effects on stg_effects.target_kind = 'identity' and list_contains(target_uids, alias_uid)
-- dirty: select 'activity:' || event_id from delta_stg_grants
-- dirty: select 'activity:' || stg_grants.event_id from delta_int_identities__resolved join stg_grants on stg_grants.holder_uid = alias_uid
-- dirty: select 'activity:' || stg_grants.event_id from (select distinct unnest(roles) as role from delta_stg_approvals) as told join stg_grants on lower(stg_grants.held_uid) = lower(told.role)
-- dirty: select 'activity:' || stg_grants.event_id from (
--     select distinct unnest(stg_approvals.roles) as role
--     from (select distinct approval_id from delta_int_approvals__subjects) as changed
--     join stg_approvals on stg_approvals.approval_id = changed.approval_id
--   ) as told join stg_grants on lower(stg_grants.held_uid) = lower(told.role)
-- only: stg_approvals(approval_id, is_granted, origin, actions, tools, roles, resources, granted_at, ends_at)
-- dirty: select stg_effects.activity_id from (select sum(if(is_new, 1, -1)) as more from delta_sources where list_contains(evidence_kinds, 'approval') and state <> 'absent') as seen join stg_effects on seen.more <> 0 where starts_with(stg_effects.activity_id, 'tool_call:')
-- only: sources(evidence_kinds, state)
-- only: links(child_id, parent_id, kind, is_primary)
-- only: entitlements(entitlement_id, holder_uid, layer, effect, power, valid_from, valid_until, event_id)
-- only: step_facts(step_id, chain_id, identity_id, is_nonhuman, approval_id, has_no_approval, gaps, is_outside_actions, is_outside_resources, is_outside_roles, is_after_approval_end)

-- Of a call whose doing a log recorded, that record speaks: of the call itself, or of the request that it made.
with recorded_calls as (
    select parent_id as call_id
    from links
    where kind = 'activity>tool_call' and is_primary
    union
    select calls.parent_id
    from links as calls
    join links as made on made.parent_id = calls.child_id and made.kind = 'activity>tool_call' and made.is_primary
    where calls.kind = 'tool_call>tool_call'
),

effects as (
    select
        stg_effects.* exclude (event_id, event_at, event_hour),
        coalesce(calls.event_id, stg_effects.event_id) as event_id,
        coalesce(calls.called_at, stg_effects.event_at) as event_at,
        coalesce(calls.event_hour, stg_effects.event_hour) as event_hour
    from stg_effects
    left join stg_tool_calls as calls on calls.tool_call_id = stg_effects.activity_id
    anti join recorded_calls on recorded_calls.call_id = stg_effects.activity_id
    where stg_effects.activity_id in (select id from touched_ids)
),

-- Nobody can say of a call of a tool that its approval would have been seen.
approvals_kept as (
    select count(*) > 0 as are_kept
    from sources
    where list_contains(evidence_kinds, 'approval') and state <> 'absent'
),

done as (
    select
        activity_id, event_id, event_at, event_hour, log, voice, actor_uid, actor_kind, action, outcome, mints_credential, is_providers_own,
        canonical_action, error_code, credential_uid, account_uid, src_ip, network, via_service, false as is_call, null as tool
    from stg_activities
    union all
    select
        tool_call_id, event_id, called_at, event_hour, log, voice, agent_uid, 'agent', action, outcome, false, false,
        null, null, null, null, null, null, null, true, tool
    from stg_tool_calls
),

acts as (
    select
        activity.*,
        facts.chain_id,
        facts.identity_id,
        coalesce(facts.is_nonhuman, activity.actor_kind in ('agent', 'role', 'workload', 'service')) as is_nonhuman,
        -- A session of a role may be a person's, of whom the log says no more, and through a service anybody can act.
        declared.kind is not null or (activity.actor_kind is distinct from 'role' and activity.via_service is null) as is_known,
        facts.approval_id,
        -- An approval that lists nothing allows what its task needs; of one that has ended, or lists other things, it is none.
        facts.approval_id is not null and not coalesce(
            facts.is_outside_actions or facts.is_outside_resources or facts.is_outside_roles or facts.is_after_approval_end, false
        )
        -- Commands are no actions: an approval that lists anything allows those of the tools that it names.
        and (
            not activity.is_call or coalesce(array_length(approval.actions), 0) + coalesce(array_length(approval.tools), 0) = 0
            or coalesce(list_contains(approval.tools, activity.tool), false)
        ) as is_approved,
        -- Where a machine's approvals are kept and none is known to be missing (their log cannot tell of this act, or one is joined
        -- too weakly to account for it), one may list it.
        coalesce(facts.is_nonhuman, false) and facts.approval_id is null and facts.has_no_approval is distinct from true
            and if(activity.is_call, approvals_kept.are_kept, not list_contains(facts.gaps, 'no approval: source absent')) as is_in_doubt,
        -- Where approvals are kept, they are for machines: what a person does on a common day is nobody's alert.
        not coalesce(facts.is_nonhuman, true) and not list_contains(facts.gaps, 'no approval: source absent') as is_person_at_work
    from done as activity
    cross join approvals_kept
    -- What is a copy of a record that is counted already stands in no chain a second time.
    join step_facts as facts on facts.step_id = activity.activity_id
    left join declared_identities as declared on declared.identity_id = facts.identity_id
    left join stg_approvals as approval on approval.approval_id = facts.approval_id
    where activity.activity_id in (select activity_id from effects)
),

-- What each change gave to whom, and the approval of that role for that identity, in these places or in any.
approved_roles as (
    select
        stg_approvals.approval_id,
        subjects.identity_id,
        unnest(stg_approvals.roles) as role,
        stg_approvals.resources,
        stg_approvals.granted_at,
        stg_approvals.ends_at
    from stg_approvals
    join int_approvals__subjects as subjects on subjects.approval_id = stg_approvals.approval_id and not subjects.is_asker
    where stg_approvals.is_granted and stg_approvals.origin = 'ticket'
        and array_length(stg_approvals.actions) = 0 and array_length(stg_approvals.tools) = 0
),

given_roles as (
    select grants.event_id, grants.grant_no, min(approved_roles.approval_id) as approval_id
    from stg_grants as grants
    left join int_identities__resolved as resolved
        on resolved.alias_uid = grants.holder_uid and holds_at(grants.event_at, resolved.valid_from, resolved.valid_until)
    left join approved_roles
        on lower(approved_roles.role) = lower(grants.held_uid) and approved_roles.identity_id = coalesce(resolved.identity_id, grants.holder_uid)
        and approved_roles.granted_at <= grants.event_at and (approved_roles.ends_at is null or approved_roles.ends_at > grants.event_at)
        and (
            array_length(approved_roles.resources) = 0
            or list_contains(list_transform(approved_roles.resources, lambda place: coalesce(grants.scope_uid, '') ilike as_like(place) escape '\'), true)
        )
    where not grants.is_snapshot and grants.event_id in (select event_id from effects)
        and (grants.op = 'write' or (grants.op = 'add' and grants.relation in ('member', 'attached')))
        -- Who has a role somewhere is a member there.
        and not (grants.relation = 'member' and coalesce(ends_with(grants.held_uid, '/' || grants.scope_uid), false))
    group by grants.event_id, grants.grant_no
),

-- A change that gives more than what is approved is not.
roles_as_approved as (
    select event_id, min(approval_id) as approval_id
    from given_roles
    group by event_id
    having count(*) = count(approval_id)
),

-- What a change brought about, as the logs together say it.
brought as (
    select event_id, max(power_rank(power)) as power_rank
    from entitlements
    where layer = 'granted' and effect = 'allow' and power is not null and event_id in (select event_id from effects)
    group by event_id
),

identities_named as (
    select
        effects.activity_id,
        effects.event_at,
        effects.effect,
        acts.actor_uid,
        acts.identity_id,
        acts.account_uid,
        unnest(effects.target_uids) as uid
    from effects
    join acts on acts.activity_id = effects.activity_id
    where effects.target_kind = 'identity'
),

placed as (
    select
        named.*,
        -- An account is named by its number alone, too.
        case
            when owned.prefix is not null then split_part(named.uid, ':', 5)
            when regexp_matches(named.uid, '^[0-9]{12}$') then named.uid
        end as account_of_uid,
        if(contains(named.uid, '@') and machines.prefix is null, lower(split_part(named.uid, '@', -1)), null) as domain_of_uid,
        if(contains(named.actor_uid, '@'), lower(split_part(named.actor_uid, '@', -1)), null) as domain_of_actor,
        everybody.prefix is not null as is_everybody
    from identities_named as named
    left join vendor_prefixes as owned
        on owned.names = 'resource' and owned.says = 'owned_name' and starts_with(named.uid, owned.prefix)
    left join vendor_prefixes as machines
        on machines.names = 'machine_domain' and ends_with(lower(named.uid), machines.prefix)
    left join vendor_prefixes as everybody on everybody.names = 'everybody' and everybody.prefix = named.uid
),

held as (
    select placed.activity_id, placed.effect, placed.uid, max(power_rank(entitlements.power)) as power_rank
    from placed
    join entitlements
        on entitlements.holder_uid = placed.uid and entitlements.layer = 'granted' and entitlements.effect = 'allow'
        and coalesce(entitlements.valid_from <= placed.event_at, true) and coalesce(entitlements.valid_until > placed.event_at, true)
    where placed.effect = 'issues_credential'
    group by placed.activity_id, placed.effect, placed.uid
),

told_apart as (
    select
        placed.activity_id,
        placed.effect,
        case
            when placed.is_everybody then 'public'
            when placed.uid = placed.actor_uid or resolved.identity_id = placed.identity_id then 'self'
            when nullif(placed.account_of_uid, '') <> placed.account_uid and accounts.account_uid is null then 'outside'
            -- Names of a mail's form are of another house where the domain is; a machine's actor has no such name.
            when placed.domain_of_uid <> placed.domain_of_actor
                and not ends_with(placed.domain_of_uid, '.' || placed.domain_of_actor)
                and not ends_with(placed.domain_of_actor, '.' || placed.domain_of_uid)
                and resolved.identity_id is null then 'outside'
            else 'identity'
        end as target_kind,
        placed.uid,
        coalesce(placed.domain_of_uid = placed.domain_of_actor, false) as is_of_house,
        held.power_rank
    from placed
    left join int_accounts as accounts on accounts.account_uid = placed.account_of_uid
    left join int_identities__resolved as resolved
        on resolved.alias_uid = placed.uid and holds_at(placed.event_at, resolved.valid_from, resolved.valid_until)
    left join held on held.activity_id = placed.activity_id and held.effect = placed.effect and held.uid = placed.uid
),

of_kinds as (
    select
        activity_id,
        effect,
        target_kind,
        list_sort(list(distinct uid)) as target_uids,
        bool_and(is_of_house) as is_of_house,
        max(power_rank) as power_rank
    from told_apart
    group by activity_id, effect, target_kind
),

shaped as (
    select
        effects.* exclude (target_kind, target_uids, power, is_offer),
        coalesce(of_kinds.target_kind, effects.target_kind) as target_kind,
        coalesce(of_kinds.target_uids, effects.target_uids) as target_uids,
        effects.is_offer,
        -- Colleagues accept what they are offered in a record of their own.
        effects.is_offer and coalesce(of_kinds.target_kind = 'identity' and of_kinds.is_of_house, false) as is_offer_within,
        greatest(
            power_rank(effects.power), of_kinds.power_rank, case when effects.effect = 'grants_power' then brought.power_rank end
        ) as power_rank
    from effects
    left join of_kinds
        on effects.target_kind = 'identity' and of_kinds.activity_id = effects.activity_id and of_kinds.effect = effects.effect
    left join brought on brought.event_id = effects.event_id
),

-- Two ways to one kind of target are one.
merged as (
    select
        activity_id,
        event_id,
        event_at,
        event_hour,
        effect,
        target_kind,
        list_sort(list_distinct(flatten(list(target_uids)))) as target_uids,
        max(power_rank) as power_rank,
        min(said_by) as said_by,
        bool_and(is_offer) as is_offer,
        bool_and(is_offer_within) as is_offer_within
    from shaped
    group by all
),

-- How a sentence says what an act did, or tried to do, and to whom.
words as (
    select *
    from (
        values
            ('grants_power', 'gave power', 'give power', ' to '),
            ('takes_power', 'took power', 'take power', ' from '),
            ('issues_credential', 'issued a credential', 'issue a credential', ' for '),
            ('opens_trust', 'opened trust', 'open trust', ' to '),
            ('exposes', 'exposed something', 'expose something', ' to '),
            ('reads_secret', 'read a secret', 'read a secret', ' of '),
            ('runs_code', 'ran code', 'run code', ' as '),
            ('changes_workload', 'changed what runs', 'change what runs', ' of '),
            ('weakens_evidence', 'weakened the evidence', 'weaken the evidence', ' of '),
            ('weakens_guard', 'weakened a guard', 'weaken a guard', ' of '),
            ('destroys', 'destroyed something', 'destroy something', ' of '),
            ('ransoms', 'took data hostage', 'take data hostage', ' of '),
            ('discovers', 'looked around', 'look around', ' at ')
    ) as of_effects(effect, did, tried, link)
),

graded as (
    select
        merged.*,
        acts.* exclude (activity_id, event_id, event_at, event_hour, approval_id, is_approved),
        coalesce(acts.approval_id, as_approved.approval_id) as approval_id,
        acts.is_approved or as_approved.approval_id is not null as is_approved,
        case merged.effect
            when 'grants_power' then if(merged.is_offer_within, 2,
                -- A new identity that holds nothing yet is a way in for later; a grant of nothing is not.
                case merged.power_rank when 4 then 4 when 3 then 3 when 1 then if(merged.said_by = 'action' and merged.target_kind <> 'resource', 2, 1) else 2 end
                + if(merged.target_kind in ('self', 'public', 'outside') and merged.power_rank is distinct from 1, 1, 0))
            -- A session is how work is done; a key, a password or a token for a named identity is a way to act as it. One that
            -- names no identity, such as a project's key or a request for a certificate, is less.
            when 'issues_credential' then
                case
                    when merged.said_by = 'grant' and not acts.mints_credential then 1
                    when merged.power_rank = 4 then 4
                    when merged.target_kind in ('self', 'resource') then 2
                    else 3
                end
            -- A provider of identities lets in whom it names; a role of one's own account is nearer.
            when 'opens_trust' then case merged.target_kind when 'public' then 5 when 'outside' then 4 when 'resource' then 3 else 2 end
            when 'exposes' then if(merged.target_kind in ('public', 'outside'), 4, 2)
            -- People look after logs and guards and change them for good reasons; programs that do are few and known.
            when 'weakens_evidence' then if(acts.is_nonhuman and acts.is_known, 4, 3)
            when 'weakens_guard' then if((acts.is_nonhuman and acts.is_known) or merged.target_kind = 'self', 3, 2)
            when 'ransoms' then 4
            when 'runs_code' then if(acts.is_nonhuman, 3, 2)
            when 'reads_secret' then 2
            when 'destroys' then 2
            -- A record says so of what is of use by itself, such as machines with much computing power.
            when 'changes_workload' then if(merged.power_rank = 2, 3, 1)
            else 1
        end as worth
    from merged
    join acts on acts.activity_id = merged.activity_id
    left join roles_as_approved as as_approved on as_approved.event_id = merged.event_id and merged.effect = 'grants_power'
)

select
    activity_id,
    event_id,
    event_at,
    event_hour,
    chain_id,
    log,
    voice,
    identity_id,
    actor_uid,
    actor_kind,
    is_nonhuman,
    action,
    canonical_action,
    graded.effect,
    target_kind,
    target_uids[1] as target_uid,
    first_hundred(target_uids) as target_uids,
    array_length(target_uids) as n_targets,
    case power_rank when 4 then 'admin' when 3 then 'permissions' when 2 then 'data' when 1 then 'none' end as power,
    outcome,
    error_code,
    credential_uid,
    account_uid,
    src_ip,
    network,
    approval_id,
    is_approved,
    coalesce(mints_credential and outcome = 'success', false) as mints_credential,
    said_by,
    severities.severity,
    coalesce(actor_uid, 'somebody')
    || if(outcome in ('failure', 'denied'), ' tried to ', ' ')
    || case
        when is_offer then if(outcome in ('failure', 'denied'), 'offer power', 'offered power')
        else coalesce(if(outcome in ('failure', 'denied'), words.tried, words.did), graded.effect)
    end
    || case
        when graded.effect <> 'grants_power' or power_rank is null then ''
        else case power_rank when 4 then ' over everything' when 3 then ' over permissions' when 2 then ' over data' else ' over nothing yet' end
    end
    || case target_kind
        when 'self' then coalesce(words.link, ': ') || 'itself'
        when 'public' then coalesce(words.link, ': ') || 'everybody'
        when 'resource' then coalesce(': ' || target_uids[1], '')
        else coalesce(words.link || target_uids[1], '') || if(target_kind = 'outside', ' (outside)', '')
    end
    || if(array_length(target_uids) > 1 and target_kind not in ('self', 'public'), ' and ' || (array_length(target_uids) - 1)::varchar || ' more', '')
    || coalesce(', by ' || action, '')
    || if(is_approved, ', under ' || approval_id, '') as sentence
from graded
left join words on words.effect = graded.effect
join severities
    on severities.severity_rank = case
        when is_approved or is_providers_own then 1
        when is_person_at_work and worth <= 3 and target_kind not in ('self', 'public', 'outside')
            and graded.effect not in ('weakens_evidence', 'weakens_guard', 'opens_trust') then 1
        -- What only the subject, or whoever could write there, reports accuses nobody of much. That an act failed is taken off
        -- where findings are made.
        else greatest(least(worth, case when voice is not distinct from 'reported' then 2 when is_call then 3 else 5 end) - if(is_in_doubt, 2, 0), 1)
    end

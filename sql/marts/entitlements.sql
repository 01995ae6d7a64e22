-- grain: one row per identity, statement, path by which it is held, and stretch of time; of approvals one per action pattern and resource pattern
-- build: by_key holder_uid
-- why: what an identity may do by its approvals and by what it was given, since when, by whom and through what
-- units: select holder_uid from int_holdings
--   union select substr(int_statements.principal, 1 + length(coalesce(vendor_prefixes.prefix, ''))) from int_statements left join vendor_prefixes on vendor_prefixes.names = 'principal' and starts_with(int_statements.principal, vendor_prefixes.prefix) where int_statements.document_kind <> 'permissions'
--   union select coalesce(subject_uid, '') from approvals
--   union select holder_uid from int_answers
-- dirty: select coalesce(subject_uid, '') from delta_approvals
-- dirty: select holder_uid from delta_int_holdings
-- dirty: select held.holder_uid from (
--     select held_uid, if(count(*) = 2, min(coalesce(valid_until, last_moment())), min(coalesce(valid_from, first_moment()))) as since
--     from delta_int_statements where document_kind = 'permissions' group by held_uid, statement_id, valid_from, revision, start_by, start_event_id, start_actor_uid
--   ) as told join int_holdings as held on held.held_uid = told.held_uid and held.until_at >= told.since
-- dirty: select substr(told.principal, 1 + length(coalesce(vendor_prefixes.prefix, ''))) from delta_int_statements as told left join vendor_prefixes on vendor_prefixes.names = 'principal' and starts_with(told.principal, vendor_prefixes.prefix) where told.document_kind <> 'permissions'
-- dirty: select held.holder_uid from (
--     select held_uid, coalesce(valid_from, first_moment()) as since
--     from delta_int_documents where document_kind = 'permissions' group by held_uid, valid_from, start_event_id having count(*) = 1
--   ) as told left join (select held_uid, min(coalesce(valid_from, first_moment())) as since from int_documents where document_kind = 'permissions' group by held_uid) as first
--     on first.held_uid = told.held_uid
--   join int_holdings as held on held.held_uid = told.held_uid where first.since is null or told.since <= first.since
-- dirty: select alias_uid from delta_int_identities__resolved
-- dirty: select resolved.alias_uid from (select min(as_of) as early, max(as_of) as late from delta_run_context) as run
--   join int_identities__resolved as resolved on resolved.valid_from between run.early and run.late or resolved.valid_until between run.early and run.late
-- dirty: select holder_uid from delta_int_answers
-- dirty: select coalesce(held.holder_uid, '') from delta_int_steps__in_scope as judged join entitlements as held on held.event_id = substr(judged.step_id, 10)
-- dirty: select coalesce(held.holder_uid, '') from delta_stg_grants as told join entitlements as held on held.event_id = told.event_id
-- dirty: select coalesce(held.holder_uid, '') from delta_stg_approval_states as told join entitlements as held on held.event_id = told.event_id
-- dirty: select coalesce(held.holder_uid, '') from delta_int_powers as judged join entitlements as held on held.action_pattern = judged.action_pattern
-- only: run_context(as_of)
-- only: int_documents(held_uid, document_kind, valid_from, start_event_id)
-- only: int_steps__in_scope(step_id, approval_id, is_outside_actions, is_outside_resources)
-- only: stg_grants(event_id, ingested_at)
-- only: stg_approval_states(event_id, ingested_at)

with patterns as (
    select
        approvals.identity_id,
        substr(approvals.approval_id, 10) as approval_uid,
        approvals.subject_uid,
        approvals.event_id,
        approvals.voice,
        approvals.valid_from,
        approvals.ends_at as valid_until,
        approvals.approved_by,
        unnest(case when array_length(approvals.actions) > 0 then approvals.actions else ['*'] end) as action_pattern,
        approvals.resources
    from approvals
    where approvals.is_granted and approvals.origin = 'ticket' and coalesce(approvals.subject_uid, '') in (select id from touched_ids)
),

crossed as (
    select * exclude (resources), unnest(case when array_length(resources) > 0 then resources else ['*'] end) as resource_pattern
    from patterns
),

approved as (
    select distinct
        'en_' || substr(sha256(approval_uid || chr(31) || action_pattern || chr(31) || resource_pattern), 1, 20) as entitlement_id,
        identity_id,
        subject_uid as holder_uid,
        'approved' as layer,
        'allow' as effect,
        action_pattern,
        resource_pattern,
        null::varchar as scope_uid,
        []::varchar[] as except_actions,
        []::varchar[] as except_resources,
        null::varchar as condition,
        false as is_conditional,
        valid_from,
        valid_until,
        []::varchar[] as path,
        []::varchar[] as grant_ids,
        []::varchar[] as relations,
        []::varchar[] as binding_uids,
        null::varchar as document_uid,
        null::varchar as document_kind,
        null::varchar as principal,
        []::varchar[] as except_principals,
        null::varchar as plane,
        'approval' as start_by,
        event_id,
        approved_by as cause_actor_uid,
        approval_uid,
        null::varchar as end_event_id,
        voice is not distinct from 'reported' as is_reported,
        true as is_certain
    from crossed
),

holdings as (
    select *
    from int_holdings
    where holder_uid in (select id from touched_ids)
),

-- What is held through a path, and what the document of a resource or role says of a principal.
through_paths as (
    select
        holdings.holder_uid,
        if(holdings.relation in ('boundary', 'guardrail'), 'limit', 'granted') as layer,
        int_statements.effect,
        int_statements.action_pattern,
        int_statements.resource_pattern,
        holdings.scope_uid,
        int_statements.except_actions,
        int_statements.except_resources,
        if(int_statements.condition is null, holdings.conditions, list_append(holdings.conditions, int_statements.condition)) as conditions,
        holdings.path,
        holdings.grant_ids,
        holdings.relations,
        holdings.binding_uids,
        int_statements.held_uid as document_uid,
        int_statements.document_kind,
        int_statements.principal,
        int_statements.except_principals,
        int_statements.plane,
        holdings.holding_id || chr(31) || int_statements.statement_id as way,
        holdings.from_at,
        holdings.until_at,
        coalesce(int_statements.valid_from, first_moment()) as stands_from,
        coalesce(int_statements.valid_until, last_moment()) as stands_until,
        holdings.start_by as path_start_by,
        holdings.start_event_id as path_event_id,
        holdings.start_actor_uid as path_actor_uid,
        holdings.end_event_id as path_end_event_id,
        int_statements.start_by as statement_start_by,
        int_statements.start_event_id as statement_event_id,
        int_statements.start_actor_uid as statement_actor_uid,
        int_statements.end_event_id as statement_end_event_id,
        holdings.is_reported or int_statements.is_reported as is_reported,
        holdings.is_certain and not holdings.is_cut as is_certain
    from holdings
    join int_statements on int_statements.held_uid = holdings.held_uid and int_statements.document_kind = 'permissions'
),

-- Of what nothing is known but its name, or nothing until its document was written, it is known that it is held.
known as (
    select
        held_uid,
        min(coalesce(valid_from, first_moment())) as since,
        arg_min({'value': start_event_id}, coalesce(valid_from, first_moment())).value as event_id
    from int_documents
    where document_kind = 'permissions' and held_uid in (select held_uid from holdings)
    group by held_uid
),

-- What gives everything is told by its name.
everything as (
    select distinct named.held_uid, named.scope_uid
    from (select distinct held_uid, scope_uid from holdings where relation = 'attached') as named
    join admin_roles
        on regexp_matches(lower(named.held_uid), admin_roles.held_pattern)
        and regexp_matches(lower(coalesce(named.scope_uid, '')), admin_roles.scope_pattern)
),

unread as (
    select
        holdings.holder_uid, if(holdings.relation in ('boundary', 'guardrail'), 'limit', 'granted'), if(everything.held_uid is null, 'unknown', 'allow'),
        if(everything.held_uid is null, null, '*'), if(everything.held_uid is null, null, '*'), holdings.scope_uid, [], [],
        holdings.conditions, holdings.path, holdings.grant_ids, holdings.relations, holdings.binding_uids, holdings.held_uid, 'permissions',
        null, [], null, holdings.holding_id, holdings.from_at, holdings.until_at,
        first_moment(), coalesce(known.since, last_moment()), holdings.start_by, holdings.start_event_id, holdings.start_actor_uid,
        holdings.end_event_id, null, null, null, known.event_id, holdings.is_reported, holdings.is_certain and not holdings.is_cut
    from holdings
    left join known on known.held_uid = holdings.held_uid
    left join everything
        on holdings.relation = 'attached' and everything.held_uid = holdings.held_uid and everything.scope_uid is not distinct from holdings.scope_uid
    where holdings.relation in ('attached', 'boundary', 'guardrail')
),

-- Whose paths are not followed to their ends may hold more than is seen, from the first of them to the last.
cut_paths as (
    select
        holder_uid,
        if(relation = 'within', 'limit', 'granted') as layer,
        is_reported,
        min({'length': array_length(path), 'path': path, 'grant_ids': grant_ids, 'relations': relations, 'binding_uids': binding_uids}) as shortest,
        min({'at': from_at, 'by': start_by, 'event_id': start_event_id, 'actor_uid': start_actor_uid}) as start,
        max({'at': until_at, 'event_id': end_event_id}) as finish
    from holdings
    where is_cut
    group by holder_uid, if(relation = 'within', 'limit', 'granted'), is_reported
),

unfollowed as (
    select
        holder_uid, layer, 'unknown', null, null, null, [], [], [], shortest.path, shortest.grant_ids, shortest.relations, shortest.binding_uids, null, null,
        null, [], null, 'cut' || chr(31) || layer || chr(31) || is_reported::varchar,
        start.at, finish.at, first_moment(), last_moment(), start.by, start.event_id, start.actor_uid, finish.event_id,
        null, null, null, null, is_reported, false
    from cut_paths
),

by_documents as (
    select
        substr(int_statements.principal, 1 + length(coalesce(vendor_prefixes.prefix, ''))) as holder_uid,
        'granted', int_statements.effect, int_statements.action_pattern, int_statements.resource_pattern, null, int_statements.except_actions,
        int_statements.except_resources, if(int_statements.condition is null, [], [int_statements.condition]),
        [int_statements.document_kind || ' policy of ' || int_statements.held_uid], [], [], [], int_statements.held_uid, int_statements.document_kind,
        int_statements.principal, int_statements.except_principals, int_statements.plane, int_statements.statement_id,
        first_moment(), last_moment(), coalesce(int_statements.valid_from, first_moment()), coalesce(int_statements.valid_until, last_moment()),
        null, null, null, null, int_statements.start_by, int_statements.start_event_id, int_statements.start_actor_uid,
        int_statements.end_event_id, int_statements.is_reported, true
    from int_statements
    left join vendor_prefixes on vendor_prefixes.names = 'principal' and starts_with(int_statements.principal, vendor_prefixes.prefix)
    where int_statements.document_kind <> 'permissions' and substr(int_statements.principal, 1 + length(coalesce(vendor_prefixes.prefix, ''))) in (select id from touched_ids)
),

held as (
    select * from through_paths
    union all
    select * from unread
    union all
    select * from unfollowed
    union all
    select * from by_documents
),

granted as (
    select
        'en_' || substr(sha256(holder_uid || chr(31) || way || chr(31) || moment_text(greatest(from_at, stands_from))), 1, 20) as entitlement_id,
        holder_uid,
        layer,
        effect,
        action_pattern,
        resource_pattern,
        scope_uid,
        except_actions,
        except_resources,
        if(array_length(conditions) = 0, null, '[' || array_to_string(list_sort(conditions), ',') || ']') as condition,
        array_length(conditions) > 0 as is_conditional,
        nullif(greatest(from_at, stands_from), first_moment()) as valid_from,
        nullif(least(until_at, stands_until), last_moment()) as valid_until,
        path,
        grant_ids,
        relations,
        binding_uids,
        document_uid,
        document_kind,
        principal,
        except_principals,
        plane,
        -- What began last brought it about: the statement, or the path to it.
        if(stands_from > from_at or path_start_by is null, statement_start_by, path_start_by) as start_by,
        if(stands_from > from_at or path_start_by is null, statement_event_id, path_event_id) as event_id,
        if(stands_from > from_at or path_start_by is null, statement_actor_uid, path_actor_uid) as cause_actor_uid,
        if(stands_until < until_at, statement_end_event_id, path_end_event_id) as end_event_id,
        is_reported,
        is_certain
    from held
    where greatest(from_at, stands_from) < least(until_at, stands_until)
),

-- The approval under which the change was made, where it names what was done.
approved_changes as (
    select substr(step_id, 10) as event_id, min(substr(approval_id, 10)) as approval_uid
    from int_steps__in_scope
    where step_id in (select 'activity:' || event_id from granted)
        and is_outside_actions is distinct from true and is_outside_resources is distinct from true
    group by step_id
),

with_identities as (
    select
        granted.entitlement_id,
        coalesce(resolved.identity_id, granted.holder_uid) as identity_id,
        granted.* exclude (entitlement_id),
        approved_changes.approval_uid
    from granted
    cross join run_context
    left join int_identities__resolved as resolved
        on resolved.alias_uid = granted.holder_uid
        and holds_at(coalesce(granted.valid_from, run_context.as_of), resolved.valid_from, resolved.valid_until)
    left join approved_changes on approved_changes.event_id = granted.event_id
),

-- What a reviewer keeps is approved from then on, until its end or another answer.
kept as (
    select
        'en_' || substr(sha256(int_answers.answer_id || chr(31) || 'review'), 1, 20) as entitlement_id,
        int_answers.identity_id,
        int_answers.holder_uid,
        'approved' as layer,
        'allow' as effect,
        int_answers.action_pattern,
        int_answers.resource_pattern,
        int_answers.scope_uid,
        int_answers.except_actions,
        int_answers.except_resources,
        int_answers.condition,
        int_answers.condition is not null as is_conditional,
        int_answers.decided_at as valid_from,
        least(int_answers.until_at, int_answers.replaced_at) as valid_until,
        []::varchar[] as path,
        'review' as start_by,
        null::varchar as event_id,
        int_answers.reviewer as cause_actor_uid,
        int_answers.answer_id as approval_uid,
        null::varchar as end_event_id,
        false as is_reported,
        true as is_certain
    from int_answers
    where int_answers.decision in ('keep', 'exception') and int_answers.effect = 'allow' and int_answers.holder_uid in (select id from touched_ids)
),

both_layers as (
    select
        entitlement_id, identity_id, holder_uid, layer, effect, action_pattern, resource_pattern, except_actions, except_resources, scope_uid,
        condition, is_conditional, valid_from, valid_until, path, grant_ids, relations, binding_uids, document_uid, document_kind, principal,
        except_principals, plane, start_by, event_id, cause_actor_uid, approval_uid, end_event_id, is_reported, is_certain
    from with_identities
    union all
    select
        entitlement_id, identity_id, holder_uid, layer, effect, action_pattern, resource_pattern, except_actions, except_resources, scope_uid,
        condition, is_conditional, valid_from, valid_until, path, grant_ids, relations, binding_uids, document_uid, document_kind, principal,
        except_principals, plane, start_by, event_id, cause_actor_uid, approval_uid, end_event_id, is_reported, is_certain
    from approved
    union all
    select
        entitlement_id, identity_id, holder_uid, layer, effect, action_pattern, resource_pattern, except_actions, except_resources, scope_uid,
        condition, is_conditional, valid_from, valid_until, path, null, null, null, null, null, null,
        null, null, start_by, event_id, cause_actor_uid, approval_uid, end_event_id, is_reported, is_certain
    from kept
),

learned as (
    select event_id, min(ingested_at) as recorded_at
    from stg_grants
    where event_id in (select event_id from both_layers)
    group by event_id
    union all
    select event_id, ingested_at
    from stg_approval_states
)

select
    both_layers.entitlement_id,
    both_layers.identity_id,
    both_layers.holder_uid,
    both_layers.layer,
    both_layers.effect,
    both_layers.action_pattern,
    both_layers.resource_pattern,
    both_layers.except_actions,
    both_layers.except_resources,
    both_layers.scope_uid,
    both_layers.condition,
    both_layers.is_conditional,
    both_layers.valid_from,
    both_layers.valid_until,
    coalesce(learned.recorded_at, if(both_layers.start_by = 'review', both_layers.valid_from, null)) as recorded_at,
    both_layers.path,
    both_layers.grant_ids,
    both_layers.relations,
    both_layers.binding_uids,
    both_layers.document_uid,
    both_layers.document_kind,
    both_layers.principal,
    both_layers.except_principals,
    both_layers.plane,
    both_layers.start_by,
    both_layers.event_id,
    both_layers.cause_actor_uid,
    both_layers.approval_uid,
    both_layers.end_event_id,
    both_layers.is_reported,
    both_layers.is_certain,
    -- Everything on one thing is no more than that thing's.
    case
        when both_layers.effect <> 'allow' then null
        when int_powers.power = 'admin' and both_layers.resource_pattern <> '*' then 'permissions'
        when both_layers.layer = 'granted' and both_layers.action_pattern = '*' and both_layers.resource_pattern = '*' then 'admin'
        else int_powers.power
    end as power
from both_layers
left join int_powers on int_powers.action_pattern = both_layers.action_pattern
left join learned on learned.event_id = both_layers.event_id

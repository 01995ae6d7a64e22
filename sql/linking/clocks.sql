-- grain: one row per log and clock that exact keys join with what another log recorded
-- build: full
-- why: an effect does not come before its cause, so where most of those that share an id do, a clock is wrong, by that much, and the times it told are compared corrected

-- Only of six pairs or more does the range hold the true median in 95 of 100 cases. Of two voices about an engine's clock one
-- alone could choose where the middle lies. And further than NTP (RFC 5905) nobody corrects: that asks for a person.
with limits as (
    select 6 as least_pairs, 3 as least_voices, 1000 as most_seconds, clock_tolerance
    from run_context
),

-- What one key says alone is about one act.
exact as (
    select child_id, parent_id, child_kind, parent_kind, key_kind
    from int_links__by_key
    where n_candidates = 1 and child_kind in ('activity', 'tool_call') and parent_kind in ('tool_call', 'decision')
        and (child_kind <> 'activity' or key_kind = 'request')
),

effects as (
    select exact.parent_id as tool_call_id, exact.child_id, acts.event_at as begun_at,
        -- What is told when it begins and when it ends may go on after the call.
        case when acts.stage_number is null then acts.event_at end as ended_at
    from exact
    join stg_activities as acts on acts.activity_id = exact.child_id
    where acts.voice is distinct from 'reported'
    union all
    select exact.parent_id, exact.child_id, inner_call.called_at, inner_call.ended_at
    from exact
    join stg_tool_calls as inner_call on inner_call.tool_call_id = exact.child_id
    where exact.parent_kind = 'tool_call' and inner_call.voice is distinct from 'reported'
),

answers as (
    select exact.child_id as tool_call_id, exact.key_kind, stg_decisions.decision_id, stg_decisions.log, stg_decisions.decided_at
    from exact
    join stg_decisions on stg_decisions.decision_id = exact.parent_id
    where stg_decisions.voice is distinct from 'reported' and stg_decisions.result is distinct from 'deny'
),

calls as (
    select stg_tool_calls.tool_call_id, of_nodes.log, of_nodes.clock_uid, stg_tool_calls.called_at, stg_tool_calls.ended_at
    from stg_tool_calls
    join int_clocks__of_nodes as of_nodes on of_nodes.node_id = stg_tool_calls.tool_call_id
    -- A call that is told without its end, or ends before it began, says nothing of how long it was under way.
    where stg_tool_calls.ended_at > stg_tool_calls.called_at
),

-- An engine's clock against the cloud's: an answer and what was done by it, through the call between them, whose own clock
-- says nothing then. The request is often sent by a call below the one that was decided on.
made_below as (
    select exact.parent_id as tool_call_id, effects.begun_at
    from exact
    join effects on effects.tool_call_id = exact.child_id
    where exact.child_kind = 'tool_call' and exact.parent_kind = 'tool_call' and exact.key_kind = 'span'
    union all
    select tool_call_id, begun_at from effects
),

first_made as (
    select tool_call_id, min(begun_at) as begun_at
    from made_below
    group by tool_call_id
),

-- An answer that came after what it allowed: by so much an engine's clock is ahead. Each agent has one voice about it.
engine_pairs as (
    select answers.log, calls.clock_uid, seconds_between(first_made.begun_at, answers.decided_at) as seconds
    from answers
    join calls on calls.tool_call_id = answers.tool_call_id
    join first_made on first_made.tool_call_id = answers.tool_call_id
),

engine_ranked as (
    select
        log, clock_uid, seconds,
        row_number() over (partition by log, clock_uid order by seconds) as nth,
        count(*) over (partition by log, clock_uid) as n_pairs
    from engine_pairs
),

voices as (
    select log, clock_uid, max(n_pairs) as n_pairs, min(case when nth >= 0.5 * n_pairs then seconds end) as seconds
    from engine_ranked
    cross join limits
    where n_pairs >= limits.least_pairs
    group by log, clock_uid
),

voices_ranked as (
    select
        log, n_pairs, seconds,
        row_number() over (partition by log order by seconds, clock_uid) as nth,
        count(*) over (partition by log) as n_voices
    from voices
),

engines as (
    select
        log,
        sum(n_pairs)::bigint as n_pairs,
        max(n_voices) as n_voices,
        min(case when nth >= 0.5 * n_voices then seconds end) as at_least,
        min(case when nth >= 0.75 * n_voices then seconds end) - min(case when nth >= 0.25 * n_voices then seconds end) as spread
    from voices_ranked
    group by log
),

judged_engines as (
    select
        engines.log, '' as clock_uid, engines.n_pairs, engines.at_least, null::double as at_most, engines.spread,
        case when engines.at_least > 1 then ceil(engines.at_least) else 0 end as found_ahead,
        engines.n_voices >= limits.least_voices as is_measured
    from engines
    cross join limits
),

engine_clocks as (
    select judged_engines.log, judged_engines.found_ahead as seconds_ahead
    from judged_engines
    cross join limits
    where is_measured and spread <= seconds_of(limits.clock_tolerance) and found_ahead <= limits.most_seconds
),

-- What a pair says of how far the clock of a call is ahead: the call begins before its effect and ends after it; what an
-- engine answers within its span likewise, else before its end and mostly before its beginning.
bounds as (
    select calls.log, calls.clock_uid, 'least' as bound, seconds_between(effects.begun_at, calls.called_at) as seconds
    from calls
    join effects on effects.tool_call_id = calls.tool_call_id
    union all
    select calls.log, calls.clock_uid, 'most', seconds_between(effects.ended_at, calls.ended_at)
    from calls
    join effects on effects.tool_call_id = calls.tool_call_id
    where effects.ended_at is not null
    union all
    select calls.log, calls.clock_uid, 'answered', seconds_between(corrected(answers.decided_at, engine_clocks.seconds_ahead), calls.ended_at)
    from calls
    join answers on answers.tool_call_id = calls.tool_call_id
    left join engine_clocks on engine_clocks.log = answers.log
    union all
    select
        calls.log, calls.clock_uid, case when answers.key_kind = 'span' then 'asked_within' else 'asked' end,
        seconds_between(corrected(answers.decided_at, engine_clocks.seconds_ahead), calls.called_at)
    from calls
    join answers on answers.tool_call_id = calls.tool_call_id
    left join engine_clocks on engine_clocks.log = answers.log
),

ranked as (
    select
        log, clock_uid, bound, seconds,
        row_number() over (partition by log, clock_uid, bound order by seconds) as nth,
        count(*) over (partition by log, clock_uid, bound) as n_pairs
    from bounds
),

medians as (
    select
        log, clock_uid, bound, max(n_pairs) as n_pairs,
        min(case when nth >= 0.5 * n_pairs then seconds end) as seconds,
        min(case when nth >= 0.75 * n_pairs then seconds end) - min(case when nth >= 0.25 * n_pairs then seconds end) as spread
    from ranked
    group by log, clock_uid, bound
),

measured as (
    select
        log,
        clock_uid,
        max(n_pairs) as n_pairs,
        min(spread) filter (where n_pairs >= limits.least_pairs) as spread,
        max(seconds) filter (where bound = 'least' and n_pairs >= limits.least_pairs) as least_of_effects,
        max(seconds) filter (where bound = 'most' and n_pairs >= limits.least_pairs) as most_of_effects,
        max(seconds) filter (where bound = 'asked_within' and n_pairs >= limits.least_pairs) as asked_within,
        max(seconds) filter (where bound = 'answered' and n_pairs >= limits.least_pairs) as answered,
        max(seconds) filter (where bound = 'asked' and n_pairs >= limits.least_pairs) as asked,
        max(spread) filter (where bound = 'asked' and n_pairs >= limits.least_pairs) as asked_spread
    from medians
    cross join limits
    group by log, clock_uid
),

-- What was done comes before what an engine says of it: that alone is asked where it bounds a clock on both sides.
bounded as (
    select
        *,
        coalesce(least_of_effects, asked_within) as at_least,
        coalesce(most_of_effects, case when least_of_effects is null then answered end) as at_most
    from measured
),

by_effects as (
    select
        *,
        case
            when at_least > 1 then floor(at_least)
            when at_least is not null and at_most < -1 then ceil(at_most)
            when at_least is not null then 0
        end as by_effects
    from bounded
),

-- Whole seconds, as many logs write no more; as little as puts the usual pair in its order, and of the next two seconds the one in which the answer came first.
judged_calls as (
    select
        log, clock_uid, n_pairs, at_least, at_most, spread,
        case
            -- A wait for an answer within the call varies, and a clock does not.
            when by_effects is null and asked < -1 and (at_most < -1 or asked_spread <= 1) then floor(asked)
            when by_effects <> 0 then least(by_effects, greatest(coalesce(floor(asked), by_effects), by_effects - 1))
            else 0
        end as found_ahead,
        at_least is not null or at_most is not null as is_measured
    from by_effects
),

judged as (
    select * from judged_engines
    union all
    select * from judged_calls
)

select
    judged.log,
    judged.clock_uid,
    judged.n_pairs,
    judged.at_least as ahead_at_least_seconds,
    judged.at_most as ahead_at_most_seconds,
    judged.spread as spread_seconds,
    case
        when not judged.is_measured then 'few pairs'
        when judged.found_ahead = 0 then 'in time'
        when abs(judged.found_ahead) > limits.most_seconds then 'too far'
        when judged.spread > seconds_of(limits.clock_tolerance) then 'unsteady'
        else 'corrected'
    end as state,
    case
        when judged.is_measured and abs(judged.found_ahead) <= limits.most_seconds and judged.spread <= seconds_of(limits.clock_tolerance)
            then judged.found_ahead::bigint
        else 0
    end as seconds_ahead
from judged
cross join limits

-- grain: one row per name that is written in several ways
-- build: full
-- why: mara.lind@example.org and Mara.Lind@example.org are one mailbox, and so are logins in systems that do not tell case apart; names stay as they were written, and only comparing them is done here

with said as (
    select actor_uid as name, log from events where actor_uid is not null
    union
    select key_value, log from stg_keys where key_kind in ('federated_subject', 'bearer')
    union
    -- An approval and the configuration name somebody in the words of another system.
    select subject_uid, null::varchar from stg_approvals where subject_uid is not null
    union
    select requested_by, null::varchar from stg_approvals where requested_by is not null
    union
    select approved_by, null::varchar from stg_approvals where approved_by is not null
    union
    select alias_uid, null::varchar from identity_aliases
),

-- What a log says of its own names comes before what holds in general.
judged as (
    select
        said.name,
        said.log,
        coalesce(
            bool_or(name_comparison.folds_case) filter (where name_comparison.log is not null),
            bool_or(name_comparison.folds_case) filter (where name_comparison.log is null)
        ) as folds_case
    from said
    left join name_comparison
        on (name_comparison.log is null or name_comparison.log = said.log)
        and regexp_matches(said.name, name_comparison.name_pattern)
    group by said.name, said.log
),

names as (
    select
        name,
        lower(name) as folded,
        coalesce(bool_or(folds_case), false) as folds_case,
        -- Only the system that is meant knows whether it tells case apart.
        bool_and(log is null and folds_case is null) as is_of_any_system
    from judged
    group by name
),

spellings as (select * from names where folds_case or is_of_any_system),

several as (
    select folded, max(name) as compared_as
    from spellings
    group by folded
    having count(*) > 1 and bool_or(folds_case)
)

select spellings.name, several.compared_as
from spellings
join several on several.folded = spellings.folded

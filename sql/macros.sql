-- What several tables ask in the same words. Macros of this session: nothing of them is stored in a home.

-- A pattern with * and ? as one for ILIKE ... ESCAPE '\'.
create or replace temp macro as_like(pattern) as
    replace(replace(replace(replace(replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'), '?', '_');

-- Whether one of two patterns lies within the other, as a right and a limit of it do that have anything to do with each other.
create or replace temp macro is_one_within(pattern, pattern_like, other, other_like) as
    (pattern ilike other_like escape '\' or other ilike pattern_like escape '\');

-- Of two such patterns the narrower: what of a right a limit lets through. Where there is no other it stays as it is.
create or replace temp macro narrower(pattern, other, other_like) as
    if(pattern ilike coalesce(other_like, '%') escape '\', pattern, other);

-- Whether a name means its identity at a moment: from the first moment of the alias to before its last.
create or replace temp macro holds_at(moment, valid_from, valid_until) as
    valid_from <= moment and valid_until > moment;

-- Whether a moment lies in a window that may have no end; clocks may be apart by the tolerance on both sides.
create or replace temp macro is_within(moment, valid_from, ends_at, tolerance) as
    moment >= valid_from - tolerance and (ends_at is null or moment <= ends_at + tolerance);

-- To the microsecond; null where a time is infinite. Doubles hold microseconds exactly for 285 years and never overflow.
create or replace temp macro seconds_between(earlier, later) as
    (epoch_us(later)::double - epoch_us(earlier)::double) / 1000000;

-- How many seconds a stretch of time takes, such as a tolerance.
create or replace temp macro seconds_of(stretch) as
    epoch_us(cast('1970-01-01 00:00:00+00' as timestamptz) + stretch)::double / 1000000;

-- A moment as the text of which ids are made.
create or replace temp macro moment_text(moment) as
    moment::varchar;

-- What a change of rights is named by: its event, or of a change by a vendor what it changed, and when.
create or replace temp macro cause_of_change(event_id, path, changed_at) as
    coalesce(event_id, 'vendor ' || array_to_string(path, ' ') || ' ' || moment_text(changed_at));

-- Whether two names are one tool's: servers put names of their own before it, and a mark between.
create or replace temp macro is_same_tool(one, other) as
    one = other
    or (ends_with(one, other) and regexp_matches(substr(one, 1, length(one) - length(other)), '(__|[./:-])$'))
    or (ends_with(other, one) and regexp_matches(substr(other, 1, length(other) - length(one)), '(__|[./:-])$'));

-- Evidence that is shown; how many there are stands beside it where it matters.
create or replace temp macro first_hundred(ids) as
    array_slice(ids, 1, 100);

-- Whether a record is dated later than its time can have been; such records are kept and move no time.
create or replace temp macro is_from_future(moment, future_from) as
    coalesce(moment >= future_from, false);

-- Whether a credential ends by itself before long. Where no log says when, a session does and a key does not.
create or replace temp macro is_bounded_credential(kind, issued_at, expires_at) as
    coalesce(seconds_between(issued_at, expires_at) <= 7 * 86400, kind = 'session');

-- Deeper than this nobody climbs: a step below it stands for itself and says so.
create or replace temp macro most_hops() as
    10000;

-- Of more possible parents by one key none is proof, and so many are kept; the child says how many are not.
create or replace temp macro most_candidates() as
    20;

-- The length of the slots of time in which a stretch is looked for: as long as the stretch or up to sixteen times longer, so
-- that it lies in two at most. Endless ones share one length.
create or replace temp macro slot_seconds(from_at, until_at) as
    case
        when seconds_between(from_at, until_at) <= 256 then 256
        when seconds_between(from_at, until_at) <= 4096 then 4096
        when seconds_between(from_at, until_at) <= 65536 then 65536
        when seconds_between(from_at, until_at) <= 1048576 then 1048576
        when seconds_between(from_at, until_at) <= 16777216 then 16777216
        else 1000000000000
    end;

-- The slot of that length in which a moment lies; all moments between 1970 and the year 33000 lie in slot 0 of the longest.
create or replace temp macro slot_of(moment, seconds) as
    floor(epoch_us(moment)::double / 1000000 / seconds)::bigint;

-- So many stretches of one slot are looked at; of more the first.
create or replace temp macro most_in_slot() as
    100;

-- What the name of a network can be compared with. A configured zone is a place of its own. Without one, the /24 of a public
-- address and the /48 of another version say nothing of each other, and a private address is as good in any house.
create or replace temp macro network_kind(network) as
    case
        when not regexp_matches(network, '^[0-9a-f.:]+/(24|48)$') then 'zone'
        when regexp_matches(network, '^(10|127|192\.168|169\.254|172\.(1[6-9]|2[0-9]|3[01])|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\.')
            or regexp_matches(network, '^(f[cd]|fe[89ab]|::)') then 'private'
        when contains(network, ':') then 'public IPv6'
        else 'public IPv4'
    end;

-- Whether a record speaks for its log: what lies where its system does not write only states what the log would hold.
create or replace temp macro speaks_for_log(record_voice, log_voice) as
    record_voice is distinct from 'reported' or log_voice is not distinct from 'reported';

-- A moment as the logs of reference would have written it; null seconds correct nothing.
create or replace temp macro corrected(moment, seconds_ahead) as
    moment - coalesce(seconds_ahead, 0) * interval 1 second;

-- The beginning and the end of time, where nothing else began or ended something.
create or replace temp macro first_moment() as
    cast('0001-01-01 00:00:00+00' as timestamptz);

create or replace temp macro last_moment() as
    cast('9999-12-31 00:00:00+00' as timestamptz);

-- How much power that is, from none to everything; null where nobody can tell.
create or replace temp macro power_rank(power) as
    case power when 'admin' then 4 when 'permissions' then 3 when 'data' then 2 when 'none' then 1 end;

-- The name in what a session carries: behind the key of a tag, or the role before the name of a session.
create or replace temp macro carried_name(key_kind, key_value) as
    case
        when key_kind in ('transitive_tag', 'session_tag') then substr(key_value, strpos(key_value, '=') + 1)
        when key_kind = 'session_name' then split_part(key_value, '/', -1)
        else key_value
    end;

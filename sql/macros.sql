-- What several tables ask in the same words. Macros of this session: nothing of them is stored in a home.

-- A pattern with * and ? as one for ILIKE ... ESCAPE '\'.
create or replace temp macro as_like(pattern) as
    replace(replace(replace(replace(replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'), '?', '_');

-- Whether a name means its identity at a moment: from the first moment of the alias to before its last.
create or replace temp macro holds_at(moment, valid_from, valid_until) as
    valid_from <= moment and valid_until > moment;

-- Whether a moment lies in a window that may have no end; clocks may be apart by the tolerance on both sides.
create or replace temp macro is_within(moment, valid_from, ends_at, tolerance) as
    moment >= valid_from - tolerance and (ends_at is null or moment <= ends_at + tolerance);

-- To the microsecond; null where a time is infinite. Doubles hold microseconds exactly for 285 years and never overflow.
create or replace temp macro seconds_between(earlier, later) as
    (epoch_us(later)::double - epoch_us(earlier)::double) / 1000000;

-- Evidence that is shown; how many there are stands beside it where it matters.
create or replace temp macro first_hundred(ids) as
    array_slice(ids, 1, 100);

-- Whether a record is dated later than its time can have been; such records are kept and move no time.
create or replace temp macro is_from_future(moment, future_from) as
    coalesce(moment >= future_from, false);

-- Whether the silence of a log means that evidence may be missing: a reported log is one that its subject can stop, so
-- it is waited for only where no recorded one speaks. Of tool calls mostly the caller tells.
create or replace temp macro is_waited_for(kind, voice, has_recorded) as
    kind = 'tool_call' or voice is distinct from 'reported' or not coalesce(has_recorded, false);

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

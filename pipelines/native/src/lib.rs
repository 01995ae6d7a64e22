//! What `ultravires.reading.native` calls. Python owns all memory but a layout and a scan, which it frees here again.
//!
//! Every function that is given pointers trusts them to be as long as Python says. Besides these only the search for the
//! end of a string, both hashes and a hint to the processor are unsafe, for its vectors; each says why it may be.
//! A panic never leaves a function, and says nothing: the function answers that it failed, and Python reads the text itself.

mod blake2b;
mod columns;
mod event_ids;
mod json;
mod layout;
mod leaves;
mod moments;
mod nested;
mod sha256;

use event_ids::Strings;
use json::Scan;
use layout::Layout;
use leaves::Leaves;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Grows with every change of the functions below.
const INTERFACE: u32 = 3;
const DONE: i64 = 0;
const FAILED: i64 = -1;
const UNSURE: u8 = 255;

fn guarded(work: impl FnOnce() -> i64) -> i64 {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(FAILED)
}

unsafe fn bytes<'a>(start: *const u8, length: usize) -> &'a [u8] {
    if length == 0 {
        &[]
    } else {
        from_raw_parts(start, length)
    }
}

unsafe fn room<'a, T>(start: *mut T, length: usize) -> &'a mut [T] {
    if length == 0 {
        &mut []
    } else {
        from_raw_parts_mut(start, length)
    }
}

unsafe fn list<'a, T>(start: *const T, length: usize) -> &'a [T] {
    if length == 0 {
        &[]
    } else {
        from_raw_parts(start, length)
    }
}

#[no_mangle]
pub extern "C" fn uv_interface() -> u32 {
    INTERFACE
}

/// # Safety
/// `text` holds `length` bytes.
#[no_mangle]
pub unsafe extern "C" fn uv_layout_new(
    text: *const u8,
    length: usize,
    max_record_bytes: usize,
    max_depth: usize,
) -> *mut Layout {
    std::panic::set_hook(Box::new(|_| {}));
    let parse = || {
        let text = std::str::from_utf8(bytes(text, length)).ok()?;
        Layout::parse(text, max_record_bytes, max_depth)
    };
    match catch_unwind(parse) {
        Ok(Some(layout)) => Box::into_raw(Box::new(layout)),
        _ => null_mut(),
    }
}

/// # Safety
/// `layout` comes from `uv_layout_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn uv_layout_free(layout: *mut Layout) {
    drop(Box::from_raw(layout));
}

/// Null where the scan failed.
///
/// # Safety
/// `layout` comes from `uv_layout_new`; `data` holds `length` bytes, and `ends` `n`, none beyond them.
#[no_mangle]
pub unsafe extern "C" fn uv_scan_new(
    layout: *const Layout,
    data: *const u8,
    length: usize,
    ends: *const i64,
    n: usize,
) -> *mut Scan {
    match catch_unwind(AssertUnwindSafe(|| {
        json::scan(bytes(data, length), list(ends, n), &*layout)
    })) {
        Ok(scan) => Box::into_raw(Box::new(scan)),
        _ => null_mut(),
    }
}

/// # Safety
/// `scan` comes from `uv_scan_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn uv_scan_free(scan: *mut Scan) {
    drop(Box::from_raw(scan));
}

/// # Safety
/// `scan` comes from `uv_scan_new`.
#[no_mangle]
pub unsafe extern "C" fn uv_count(scan: *const Scan) -> i64 {
    (*scan).records.len() as i64
}

/// # Safety
/// `counts` holds as many as there were texts, the others as many as there are records.
#[no_mangle]
pub unsafe extern "C" fn uv_records_at(
    scan: *const Scan,
    counts: *mut i64,
    starts: *mut i64,
    ends: *mut i64,
    lines: *mut i64,
    flags: *mut u8,
) -> i64 {
    guarded(|| {
        let scan = &*scan;
        room(counts, scan.counts.len()).copy_from_slice(&scan.counts);
        let n = scan.records.len();
        let (starts, ends) = (room(starts, n), room(ends, n));
        for (place, &(start, end)) in scan.records.iter().enumerate() {
            (starts[place], ends[place]) = (start as i64, end as i64);
        }
        for (line, &start) in room(lines, n).iter_mut().zip(&scan.lines) {
            *line = start as i64;
        }
        room(flags, n).copy_from_slice(&scan.flags);
        DONE
    })
}

/// # Safety
/// `rows` and `out` hold `n`.
#[no_mangle]
pub unsafe extern "C" fn uv_kinds(scan: *const Scan, field: usize, rows: *const i64, n: usize, out: *mut u8) -> i64 {
    guarded(|| {
        columns::kinds(&*scan, field, list(rows, n), room(out, n));
        DONE
    })
}

/// # Safety
/// `rows` holds `n`.
#[no_mangle]
pub unsafe extern "C" fn uv_text_bytes(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    field: usize,
    rows: *const i64,
    n: usize,
) -> i64 {
    guarded(|| columns::text_bytes(&*scan, bytes(data, length), field, list(rows, n)) as i64)
}

/// # Safety
/// `offsets` holds `n + 1`, `valid` a bit for each of `n`, `out` the `size` that `uv_text_bytes` said.
#[no_mangle]
pub unsafe extern "C" fn uv_texts(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    field: usize,
    rows: *const i64,
    n: usize,
    offsets: *mut i32,
    valid: *mut u8,
    out: *mut u8,
    size: usize,
) -> i64 {
    guarded(|| {
        let (offsets, valid) = (room(offsets, n + 1), room(valid, n.div_ceil(8)));
        columns::texts(
            &*scan,
            bytes(data, length),
            field,
            list(rows, n),
            offsets,
            valid,
            room(out, size),
        );
        DONE
    })
}

/// Room enough for those records that are rewritten by `uv_records`.
///
/// # Safety
/// `rows` holds `n`, `key` `key_length`.
#[no_mangle]
pub unsafe extern "C" fn uv_record_bytes(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    layout: *const Layout,
    rows: *const i64,
    n: usize,
    key: *const u8,
    key_length: usize,
) -> i64 {
    guarded(|| {
        let (scan, data) = (&*scan, bytes(data, length));
        let wrappings = columns::wrappings(scan, data, &*layout);
        columns::record_bytes(scan, &wrappings, list(rows, n), bytes(key, key_length)) as i64
    })
}

/// Whole records as Arrow's views; under a key without their plain secrets. Those that cannot stay as they are in the
/// data are in `out`; returns how many can.
///
/// # Safety
/// `rows` and `views` hold `n`, `key` `key_length`, `out` the `size` that `uv_record_bytes` said.
#[no_mangle]
pub unsafe extern "C" fn uv_records(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    layout: *const Layout,
    rows: *const i64,
    n: usize,
    key: *const u8,
    key_length: usize,
    views: *mut columns::View,
    out: *mut u8,
    size: usize,
) -> i64 {
    guarded(|| {
        let (scan, data) = (&*scan, bytes(data, length));
        let wrappings = columns::wrappings(scan, data, &*layout);
        let (views, out) = (room(views, n), room(out, size));
        columns::records(
            scan,
            data,
            &wrappings,
            list(rows, n),
            bytes(key, key_length),
            views,
            out,
        ) as i64
    })
}

/// The strings inside of a field, to be asked for by the functions below. Null where that failed.
///
/// # Safety
/// `rows` holds `n`.
#[no_mangle]
pub unsafe extern "C" fn uv_leaves_new(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    field: usize,
    rows: *const i64,
    n: usize,
    most_steps: usize,
) -> *mut Leaves {
    let found = || leaves::leaves(&*scan, bytes(data, length), field, list(rows, n), most_steps);
    match catch_unwind(AssertUnwindSafe(found)) {
        Ok(found) => Box::into_raw(Box::new(found)),
        _ => null_mut(),
    }
}

/// # Safety
/// `leaves` comes from `uv_leaves_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn uv_leaves_free(leaves: *mut Leaves) {
    drop(Box::from_raw(leaves));
}

/// # Safety
/// `leaves` comes from `uv_leaves_new`.
#[no_mangle]
pub unsafe extern "C" fn uv_leaf_count(leaves: *const Leaves) -> i64 {
    (*leaves).places.len() as i64
}

/// # Safety
/// `leaves` comes from `uv_leaves_new`.
#[no_mangle]
pub unsafe extern "C" fn uv_step_count(leaves: *const Leaves) -> i64 {
    (*leaves).steps.len() as i64
}

/// # Safety
/// The first four hold as many as there are leaves, the others as many as there are steps.
#[no_mangle]
pub unsafe extern "C" fn uv_leaves_at(
    leaves: *const Leaves,
    places: *mut i32,
    ways: *mut i32,
    starts: *mut u32,
    ends: *mut u32,
    befores: *mut i32,
    name_starts: *mut u32,
    name_ends: *mut u32,
    are_members: *mut u8,
) -> i64 {
    guarded(|| {
        let leaves = &*leaves;
        let (n, n_steps) = (leaves.places.len(), leaves.steps.len());
        let (places, ways) = (room(places, n), room(ways, n));
        let (starts, ends) = (room(starts, n), room(ends, n));
        for place in 0..n {
            (places[place], ways[place]) = (leaves.places[place] as i32, leaves.ways[place] as i32);
            (starts[place], ends[place]) = leaves.spans[place];
        }
        let (befores, are_members) = (room(befores, n_steps), room(are_members, n_steps));
        let (name_starts, name_ends) = (room(name_starts, n_steps), room(name_ends, n_steps));
        for (place, step) in leaves.steps.iter().enumerate() {
            (befores[place], are_members[place]) = (step.before as i32, step.is_member as u8);
            (name_starts[place], name_ends[place]) = step.name;
        }
        DONE
    })
}

/// The texts of strings in the data, which lie from `starts` to `ends`; returns how many bytes they are.
///
/// # Safety
/// `starts` and `ends` hold `n`, `offsets` one more, `out` the `size` of all of them as they stand in the data.
#[no_mangle]
pub unsafe extern "C" fn uv_slices(
    data: *const u8,
    length: usize,
    starts: *const u32,
    ends: *const u32,
    n: usize,
    offsets: *mut i32,
    out: *mut u8,
    size: usize,
) -> i64 {
    guarded(|| {
        let offsets = room(offsets, n + 1);
        leaves::slices(
            bytes(data, length),
            list(starts, n),
            list(ends, n),
            offsets,
            room(out, size),
        );
        offsets[n] as i64
    })
}

/// Returns how many different ones there are.
///
/// # Safety
/// `fields` holds `n_fields`; `rows`, `out` and `firsts` hold `n`.
#[no_mangle]
pub unsafe extern "C" fn uv_codes(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    fields: *const u32,
    n_fields: usize,
    rows: *const i64,
    n: usize,
    out: *mut i32,
    firsts: *mut i64,
) -> i64 {
    guarded(|| {
        let fields = list(fields, n_fields);
        columns::codes(
            &*scan,
            bytes(data, length),
            fields,
            list(rows, n),
            room(out, n),
            room(firsts, n),
        ) as i64
    })
}

/// Keyed hashes of whole records, each of `2 * size` characters.
///
/// # Safety
/// `key` holds `key_length`, `rows` `n`, `out` `2 * size * n`.
#[no_mangle]
pub unsafe extern "C" fn uv_record_hashes(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    rows: *const i64,
    n: usize,
    key: *const u8,
    key_length: usize,
    size: usize,
    out: *mut u8,
) -> i64 {
    guarded(|| {
        let (data, scan) = (bytes(data, length), &*scan);
        let keyed = blake2b::Keyed::new(bytes(key, key_length), size);
        let records = list(rows, n).iter().map(|&row| scan.records[row as usize]);
        keyed.hex(
            records.map(|(start, end)| &data[start as usize..end as usize]),
            room(out, 2 * size * n),
        );
        DONE
    })
}

/// Says of each text whether it may hold a secret.
///
/// # Safety
/// `layout` comes from `uv_layout_new`; `offsets` holds `n + 1`, `texts` the bytes up to the last, `out` `n`.
#[no_mangle]
pub unsafe extern "C" fn uv_suspects(
    layout: *const Layout,
    n: usize,
    offsets: *const i32,
    texts: *const u8,
    out: *mut u8,
) -> i64 {
    guarded(|| {
        let offsets = list(offsets, n + 1);
        let texts = bytes(texts, offsets[n] as usize);
        for (answer, ends) in room(out, n).iter_mut().zip(offsets.windows(2)) {
            *answer = (*layout).secrets.may_be_in(&texts[ends[0] as usize..ends[1] as usize]) as u8;
        }
        DONE
    })
}

/// Moments in a field, and what each is (`moments::of_field`).
///
/// # Safety
/// `rows`, `out` and `kinds` hold `n`.
#[no_mangle]
pub unsafe extern "C" fn uv_moments(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    field: usize,
    rows: *const i64,
    n: usize,
    out: *mut i64,
    kinds: *mut u8,
) -> i64 {
    guarded(|| {
        let (out, kinds) = (room(out, n), room(kinds, n));
        let (data, rows) = (bytes(data, length), list(rows, n));
        for (place, &row) in rows.iter().enumerate() {
            columns::fetch_ahead(&*scan, data, &[field as u32], rows, place);
            (out[place], kinds[place]) = moments::of_field(&*scan, data, field, row);
        }
        DONE
    })
}

/// Keyed hashes of JSON texts with sorted names, each of `2 * size` characters.
///
/// # Safety
/// `offsets` holds `n + 1`, `texts` the bytes up to the last, `key` `key_length`, `out` `2 * size * n`.
#[no_mangle]
pub unsafe extern "C" fn uv_json_hashes(
    n: usize,
    offsets: *const i32,
    texts: *const u8,
    key: *const u8,
    key_length: usize,
    size: usize,
    out: *mut u8,
) -> i64 {
    guarded(|| {
        let offsets = list(offsets, n + 1);
        let texts = bytes(texts, offsets[n] as usize);
        let mut sorted = Vec::with_capacity(texts.len());
        let mut starts = vec![0];
        for place in 0..n {
            columns::sort_text(
                &texts[offsets[place] as usize..offsets[place + 1] as usize],
                &mut sorted,
            );
            starts.push(sorted.len());
        }
        let keyed = blake2b::Keyed::new(bytes(key, key_length), size);
        keyed.hex(
            starts.windows(2).map(|ends| &sorted[ends[0]..ends[1]]),
            room(out, 2 * size * n),
        );
        DONE
    })
}

/// What is in a field that is JSON written inside of a string. `kinds` says of each row what it is, UNSURE where only
/// Python can say; `offsets` and `out` hold the texts, and `size` is at least as many bytes as `uv_text_bytes` said.
///
/// # Safety
/// `rows` and `kinds` hold `n`, `offsets` one more.
#[no_mangle]
pub unsafe extern "C" fn uv_inner_json(
    scan: *const Scan,
    data: *const u8,
    length: usize,
    layout: *const Layout,
    field: usize,
    rows: *const i64,
    n: usize,
    kinds: *mut u8,
    offsets: *mut i32,
    out: *mut u8,
    size: usize,
) -> i64 {
    guarded(|| {
        let (kinds, offsets) = (room(kinds, n), room(offsets, n + 1));
        let mut texts = Vec::with_capacity(size);
        offsets[0] = 0;
        for (place, &row) in list(rows, n).iter().enumerate() {
            let kind = columns::inner_json(&*scan, bytes(data, length), &*layout, field, row, &mut texts);
            kinds[place] = kind.unwrap_or(UNSURE);
            offsets[place + 1] = texts.len() as i32;
        }
        room(out, size)[..texts.len()].copy_from_slice(&texts);
        DONE
    })
}

/// # Safety
/// `log` holds `log_length`; each of the three strings `n + 1` offsets and the bytes up to the last; `moments` `n`; `out`
/// 32 characters for each.
#[no_mangle]
pub unsafe extern "C" fn uv_event_ids(
    log: *const u8,
    log_length: usize,
    n: usize,
    native_offsets: *const i32,
    native_data: *const u8,
    moments: *const i64,
    action_offsets: *const i32,
    action_data: *const u8,
    outcome_offsets: *const i32,
    outcome_data: *const u8,
    out: *mut u8,
) -> i64 {
    guarded(|| {
        let strings = |offsets: *const i32, data: *const u8| {
            let offsets = list(offsets, n + 1);
            Strings {
                offsets,
                data: bytes(data, offsets[n] as usize),
            }
        };
        let natives = strings(native_offsets, native_data);
        let actions = strings(action_offsets, action_data);
        let outcomes = strings(outcome_offsets, outcome_data);
        let out = room(out, event_ids::HEX * n);
        event_ids::event_ids(
            bytes(log, log_length),
            natives,
            list(moments, n),
            actions,
            outcomes,
            out,
        );
        DONE
    })
}

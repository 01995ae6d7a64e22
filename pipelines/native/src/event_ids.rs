//! Ids of events: the first 32 hex characters of SHA-256 over what makes an event that event.

use crate::blake2b::write_hex;
use crate::sha256::sha256;

const SEPARATOR: u8 = 0x1f;
const MICROS: i64 = 1_000_000;
pub const HEX: usize = 32;

/// Strings as Arrow lays them out.
pub struct Strings<'a> {
    pub offsets: &'a [i32],
    pub data: &'a [u8],
}

impl Strings<'_> {
    fn get(&self, place: usize) -> &[u8] {
        &self.data[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }
}

/// Ids for as many events as there are `moments` (microseconds since 1970); absent actions and outcomes are empty.
pub fn event_ids(log: &[u8], natives: Strings, moments: &[i64], actions: Strings, outcomes: Strings, out: &mut [u8]) {
    let mut text = Vec::with_capacity(256);
    for (place, (&moment, id)) in moments.iter().zip(out.chunks_exact_mut(HEX)).enumerate() {
        text.clear();
        text.extend_from_slice(log);
        text.push(SEPARATOR);
        text.extend_from_slice(natives.get(place));
        text.push(SEPARATOR);
        write_time(moment, &mut text);
        text.push(SEPARATOR);
        text.extend_from_slice(actions.get(place));
        text.push(SEPARATOR);
        text.extend_from_slice(outcomes.get(place));
        let words = sha256(&text);
        write_hex(words.iter().flat_map(|word| word.to_be_bytes()), id);
    }
}

/// `2026-11-24T02:54:13.000000Z`, of a moment between 1970 and 9999.
fn write_time(moment: i64, out: &mut Vec<u8>) {
    let (seconds, micros) = (moment.div_euclid(MICROS), moment.rem_euclid(MICROS));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    number(year, 4, out);
    out.push(b'-');
    number(month, 2, out);
    out.push(b'-');
    number(day, 2, out);
    out.push(b'T');
    number(second / 3600, 2, out);
    out.push(b':');
    number(second / 60 % 60, 2, out);
    out.push(b':');
    number(second % 60, 2, out);
    out.push(b'.');
    number(micros, 6, out);
    out.push(b'Z');
}

fn number(value: i64, width: u32, out: &mut Vec<u8>) {
    out.extend(
        (0..width)
            .rev()
            .map(|place| b'0' + (value / 10i64.pow(place) % 10) as u8),
    );
}

/// Year, month and day of a number of days since 1970, by counting in eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let since = days + 719_468;
    let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + 400 * era + (month <= 2) as i64, month, day)
}

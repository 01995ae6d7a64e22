//! Times as most logs write them, `2026-11-24T02:54:13.000000Z`. Any other is Python's to read.

use crate::json::{Scan, ABSENT, STRING};
use crate::UNSURE;

const MICROS: i64 = 1_000_000;

/// The moment in a field, in microseconds since 1970, and STRING; else 0, and ABSENT where there is no text or UNSURE where
/// it has another form.
pub fn of_field(scan: &Scan, data: &[u8], field: usize, row: i64) -> (i64, u8) {
    let span = scan.span(row as usize, field);
    if span.kind != STRING || span.start == span.end {
        return (0, ABSENT);
    }
    match moment(&data[span.start as usize..span.end as usize]) {
        Some(moment) => (moment, STRING),
        None => (0, UNSURE),
    }
}

/// Of the years 2000 to 2199, with a fraction of up to nine digits, of which six count.
fn moment(text: &[u8]) -> Option<i64> {
    let (whole, rest) = text.split_first_chunk::<19>()?;
    let number = |from: usize, to: usize| digits(&whole[from..to]);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|&(place, mark)| whole[place] != mark) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_day = (2000..2200).contains(&year) && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !is_day || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match rest {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => fraction_in_micros(fraction)?,
        _ => return None,
    };
    let seconds = (days_until(year, month, day) * 24 + hour) * 3_600 + minute * 60 + second;
    Some(seconds * MICROS + micros)
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + (byte - b'0') as i64)
    })
}

fn fraction_in_micros(fraction: &[u8]) -> Option<i64> {
    let number = digits(fraction)?;
    let n = fraction.len() as u32;
    Some(if n <= 6 {
        number * 10i64.pow(6 - n)
    } else {
        number / 10i64.pow(n - 6)
    })
}

fn days_in(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + is_leap as i64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to a date: whole years are counted from March on, so that the day of a leap year comes last.
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

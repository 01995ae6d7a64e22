//! The strings inside of a field, each with the way that leads to it: the names of the objects and the arrays around it.

use crate::columns::{fetch_ahead, fetch_text, hash_text, unescaped};
use crate::json::{next_special, Scan, ARRAY, OBJECT};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// The way of a field itself.
const START: u32 = 0;
const NO_NAME: (u32, u32) = (0, 0);
const AHEAD: usize = 8;

/// One more step on a way: into a member of an object, or, without a name, into the elements of an array.
#[derive(Clone, Copy)]
pub struct Step {
    pub before: u32,
    pub name: (u32, u32),
    pub is_member: bool,
}

#[derive(Default)]
pub struct Leaves {
    /// Of each string the place of its row, its way, where it starts and ends.
    pub places: Vec<u32>,
    pub ways: Vec<u32>,
    pub spans: Vec<(u32, u32)>,
    /// Of each way its last step; the first is the field itself.
    pub steps: Vec<Step>,
}

/// The strings in those rows of a field that hold an object or an array, up to so many steps deep, in their order.
pub fn leaves(scan: &Scan, data: &[u8], field: usize, rows: &[i64], most_steps: usize) -> Leaves {
    let mut walk = Walk::new(data);
    for (place, &row) in rows.iter().enumerate() {
        fetch_ahead(scan, data, &[field as u32], rows, place);
        let span = scan.span(row as usize, field);
        if span.kind == OBJECT || span.kind == ARRAY {
            walk.value(span.start as usize, START, most_steps, place as u32);
        }
    }
    walk.found
}

/// Texts of strings as they stand between their quotes, without their escapes. `out` has room for them as they stand;
/// `offsets` has one more than spans.
pub fn slices(data: &[u8], starts: &[u32], ends: &[u32], offsets: &mut [i32], out: &mut [u8]) {
    let mut at = 0;
    offsets[0] = 0;
    for (place, (&start, &end)) in starts.iter().zip(ends).enumerate() {
        if let (Some(&start), Some(&end)) = (starts.get(place + AHEAD), ends.get(place + AHEAD)) {
            fetch_text(data, start, end);
        }
        let text = &data[start as usize..end as usize];
        let plain = text.contains(&b'\\').then(|| unescaped(text)).flatten();
        let text = plain.as_deref().unwrap_or(text);
        out[at..at + text.len()].copy_from_slice(text);
        at += text.len();
        offsets[place + 1] = at as i32;
    }
}

/// Goes through plainly written JSON, which the scan has checked; on any other it stops early.
struct Walk<'a> {
    data: &'a [u8],
    found: Leaves,
    /// Steps by hash: their number + 1; 0 is free.
    table: Vec<u32>,
    hashes: Vec<u64>,
    seed: u64,
}

impl<'a> Walk<'a> {
    fn new(data: &'a [u8]) -> Walk<'a> {
        let mut found = Leaves::default();
        found.steps.push(Step {
            before: START,
            name: NO_NAME,
            is_member: false,
        });
        Walk {
            data,
            found,
            table: vec![0; 256],
            hashes: vec![0],
            // a log must not be able to choose names that all fall into one place
            seed: RandomState::new().build_hasher().finish() | 1,
        }
    }

    fn at(&self, position: usize) -> u8 {
        self.data.get(position).copied().unwrap_or(0)
    }

    /// Returns where the value ends.
    fn value(&mut self, start: usize, way: u32, steps_left: usize, place: u32) -> usize {
        match self.at(start) {
            b'"' => {
                let end = self.string_end(start + 1);
                self.found.places.push(place);
                self.found.ways.push(way);
                self.found.spans.push((start as u32 + 1, end as u32 - 1));
                end
            }
            b'{' if steps_left > 0 => self.object(start + 1, way, steps_left - 1, place),
            b'[' if steps_left > 0 => {
                let way = self.step(way, NO_NAME, false);
                self.array(start + 1, way, steps_left - 1, place)
            }
            b'{' | b'[' => self.passed_over(start),
            _ => self.word_end(start),
        }
    }

    fn object(&mut self, mut position: usize, way: u32, steps_left: usize, place: u32) -> usize {
        while self.at(position) == b'"' {
            let end = self.string_end(position + 1);
            let way = self.step(way, (position as u32 + 1, end as u32 - 1), true);
            position = self.value(end + 1, way, steps_left, place);
            position += (self.at(position) == b',') as usize;
        }
        position + 1
    }

    fn array(&mut self, mut position: usize, way: u32, steps_left: usize, place: u32) -> usize {
        while !matches!(self.at(position), b']' | 0) {
            position = self.value(position, way, steps_left, place);
            position += (self.at(position) == b',') as usize;
        }
        position + 1
    }

    /// Behind the closing quote of a string, from behind the opening one.
    fn string_end(&self, mut position: usize) -> usize {
        loop {
            position = next_special(self.data, position);
            match self.at(position) {
                b'"' => return position + 1,
                b'\\' => position += 2,
                _ if position >= self.data.len() => return self.data.len() + 1,
                _ => position += 1,
            }
        }
    }

    fn word_end(&self, start: usize) -> usize {
        let mut end = start + 1;
        while !matches!(self.at(end), b',' | b'}' | b']' | 0) {
            end += 1;
        }
        end
    }

    /// The end of an object or an array of which nothing is wanted.
    fn passed_over(&self, start: usize) -> usize {
        let (mut position, mut depth) = (start, 0);
        loop {
            match self.at(position) {
                b'"' => {
                    position = self.string_end(position + 1);
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ if position >= self.data.len() => return position,
                _ => {}
            }
            position += 1;
            if depth == 0 {
                return position;
            }
        }
    }

    /// The way that goes on from another by a name; found again where it was gone before.
    fn step(&mut self, before: u32, name: (u32, u32), is_member: bool) -> u32 {
        let data = self.data;
        let text_of = |name: (u32, u32)| data.get(name.0 as usize..name.1 as usize).unwrap_or(&[]);
        let text = text_of(name);
        let hash = hash_text(text, self.seed ^ (before as u64) << 1 ^ is_member as u64, self.seed);
        let mask = self.table.len() - 1;
        let mut slot = (hash >> 32) as usize & mask;
        while let Some(known) = self.table[slot].checked_sub(1) {
            let step = &self.found.steps[known as usize];
            if self.hashes[known as usize] == hash
                && (step.before, step.is_member) == (before, is_member)
                && text_of(step.name) == text
            {
                return known;
            }
            slot = (slot + 1) & mask;
        }
        let number = self.found.steps.len() as u32;
        self.table[slot] = number + 1;
        self.hashes.push(hash);
        self.found.steps.push(Step {
            before,
            name,
            is_member,
        });
        if self.hashes.len() * 2 > self.table.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        self.table = vec![0; mask + 1];
        for (number, &hash) in self.hashes.iter().enumerate().skip(1) {
            let mut slot = (hash >> 32) as usize & mask;
            while self.table[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.table[slot] = number as u32 + 1;
        }
    }
}

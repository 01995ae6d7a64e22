//! Records that lie inside of others, as spans in an export of OTLP: each with the two objects that stand around it.

use crate::json::{Around, Declined, Scanner, Span, Step, IS_SUSPECT, NOTHING};
use crate::layout::AROUND;

/// The names of those two objects, as they are written around a record that stands alone.
const OUTER: &[u8] = b"resource";
const INNER: &[u8] = b"scope";
/// How deep they and the records lie where a record stands alone: in three objects and three arrays.
const OUTER_DEPTH: usize = 4;
const INNER_DEPTH: usize = 6;
const RECORD_DEPTH: usize = 7;

/// What was read of the objects around.
struct Read {
    place: (u32, u32),
    flags: u8,
    fields: Vec<Span>,
}

impl Scanner<'_> {
    /// One export: an object with one array of a nesting, and nothing else.
    pub(crate) fn export(&mut self, start: usize) -> Step<usize> {
        let name_at = self.expect(start, b'{').and_then(|at| {
            let at = self.blank(at);
            self.expect(at, b'"')
        })?;
        let (end, ..) = self.string(name_at)?;
        let name = &self.data[name_at..end - 1];
        let nesting = self
            .layout
            .nestings
            .iter()
            .position(|names| names[0] == name)
            .ok_or(Declined)?;
        let position = self.colon(end)?;
        let nothing = Read {
            place: (0, 0),
            flags: 0,
            fields: vec![NOTHING; self.fields.len()],
        };
        let end = self.each(position, |scanner, at| scanner.level(at, nesting, 1, &nothing))?;
        let end = self.blank(end);
        self.expect(end, b'}')
    }

    fn colon(&mut self, position: usize) -> Step<usize> {
        let position = self.blank(position);
        let position = self.expect(position, b':')?;
        Ok(self.blank(position))
    }

    /// The elements of an array, each read by `read`.
    fn each(&mut self, start: usize, mut read: impl FnMut(&mut Self, usize) -> Step<usize>) -> Step<usize> {
        let mut position = self.expect(start, b'[')?;
        position = self.blank(position);
        if self.at(position) == b']' {
            return Ok(position + 1);
        }
        loop {
            position = read(self, position)?;
            position = self.blank(position);
            match self.at(position) {
                b',' => position = self.blank(position + 1),
                b']' => return Ok(position + 1),
                _ => return Err(Declined),
            }
        }
    }

    /// An element of the first array (`level` 1) or of the second (2). What stands around the records comes before them,
    /// and each once; other members are passed over.
    fn level(&mut self, start: usize, nesting: usize, level: usize, outside: &Read) -> Step<usize> {
        let (own_name, own_depth) = if level == 1 {
            (OUTER, OUTER_DEPTH)
        } else {
            (INNER, INNER_DEPTH)
        };
        let mut own: Option<Read> = None;
        let mut is_entered = false;
        let mut position = self.expect(start, b'{')?;
        position = self.blank(position);
        if self.at(position) == b'}' {
            return Ok(position + 1);
        }
        loop {
            let name_at = self.expect(position, b'"')?;
            let (end, has_escapes, _) = self.string(name_at)?;
            let name = &self.data[name_at..end - 1];
            position = self.colon(end)?;
            if name == own_name && own.is_none() && !is_entered {
                let (read, end) = self.around(position, own_depth, outside)?;
                (own, position) = (Some(read), end);
            } else if name == self.layout.nestings[nesting][level] && !is_entered {
                is_entered = true;
                let nothing = Read {
                    place: (0, 0),
                    flags: outside.flags,
                    fields: outside.fields.clone(),
                };
                position = self.enter(position, nesting, level, outside, own.as_ref().unwrap_or(&nothing))?;
            } else if name == own_name || name == self.layout.nestings[nesting][level] || has_escapes {
                return Err(Declined);
            } else {
                position = self.passed_over(position)?;
            }
            position = self.blank(position);
            match self.at(position) {
                b',' => position = self.blank(position + 1),
                b'}' => return Ok(position + 1),
                _ => return Err(Declined),
            }
        }
    }

    fn enter(&mut self, start: usize, nesting: usize, level: usize, outside: &Read, own: &Read) -> Step<usize> {
        if level == 1 {
            return self.each(start, |scanner, at| scanner.level(at, nesting, 2, own));
        }
        self.scan.around.push(Around {
            nesting,
            outer: outside.place,
            inner: own.place,
        });
        self.each(start, |scanner, at| {
            scanner.fields.copy_from_slice(&own.fields);
            scanner.record_in(at, own.flags, RECORD_DEPTH)
        })
    }

    /// A value that is no part of any record, nor are the secrets in it.
    fn passed_over(&mut self, start: usize) -> Step<usize> {
        let n_secrets = self.scan.secrets.len();
        let end = self.value(start, None, 1)?;
        self.scan.secrets.truncate(n_secrets);
        Ok(end)
    }

    /// An object that stands around records, inside of another one.
    fn around(&mut self, start: usize, depth: usize, outside: &Read) -> Step<(Read, usize)> {
        if self.at(start) != b'{' {
            return Err(Declined);
        }
        self.flags = outside.flags;
        self.fields.copy_from_slice(&outside.fields);
        let n_secrets = self.scan.secrets.len();
        let end = self.object(start, Some(AROUND), depth)?;
        if self.scan.secrets.len() > n_secrets {
            // it would have to be taken out of each record: Python does
            self.scan.secrets.truncate(n_secrets);
            self.flags |= IS_SUSPECT;
        }
        Ok((
            Read {
                place: (start as u32, end as u32),
                flags: self.flags,
                fields: self.fields.clone(),
            },
            end,
        ))
    }
}

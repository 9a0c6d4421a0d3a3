//! Values that look random and are a pure function of seed, index and purpose.
//!
//! Records are never stored: any member of any record is computed when it is asked for. A fleet of 100,000 devices costs nothing until somebody lists it.

use std::fmt::Write;

/// A source of repeatable values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x5EED_0F5A_17D0_0B0C))
    }

    /// Returns the seed of something that belongs to this one.
    pub(crate) fn child(self, label: &str, number: u64) -> Self {
        let mut state = self.0;
        for byte in label.bytes() {
            state = mix(state ^ u64::from(byte));
        }
        Self(mix(state ^ number))
    }

    /// Returns the value of a record for a purpose.
    pub(crate) fn draw(self, index: u32, purpose: u32) -> u64 {
        mix(self.0 ^ mix((u64::from(purpose) << 32) | u64::from(index)))
    }

    /// Returns a number below `bound`, which must not be 0.
    pub(crate) fn below(self, index: u32, purpose: u32, bound: u32) -> u32 {
        // Both factors are below 2^32, so the product fits and the quotient is below `bound`.
        let product = (self.draw(index, purpose) >> 32) * u64::from(bound);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// Returns one of the choices.
    pub(crate) fn pick<T: Copy>(self, index: u32, purpose: u32, choices: &[T]) -> T {
        let count = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        choices[self.below(index, purpose, count) as usize]
    }

    /// Returns the id of a record: a version 4 UUID that tells its index to who knows the seed.
    pub(crate) fn uuid(self, index: u32) -> String {
        let high = self.draw(index, ID_HIGH);
        let low = self.draw(index, ID_LOW);
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            scramble(index ^ self.key()),
            high & 0xFFFF,
            (high >> 16) & 0xFFF,
            0x8000 | ((high >> 28) & 0x3FFF),
            low & 0xFFFF_FFFF_FFFF,
        )
    }

    /// Returns an id of 64 hexadecimal digits that tells its index to who knows the seed.
    pub(crate) fn hex_id(self, index: u32) -> String {
        let mut id = format!("{:08x}", scramble(index ^ self.key()));
        for part in 0..3 {
            write_hex(&mut id, self.draw(index, ID_HEX + part));
        }
        id.push_str(&format!(
            "{:08x}",
            self.draw(index, ID_HEX + 3) & 0xFFFF_FFFF
        ));
        id
    }

    /// Returns the index that an id would have been made from. The caller compares the whole id.
    pub(crate) fn index_of(self, id: &str) -> Option<u32> {
        let first = u32::from_str_radix(id.get(..8)?, 16).ok()?;
        Some(unscramble(first) ^ self.key())
    }

    fn key(self) -> u32 {
        // The low half is as good as any.
        u32::try_from(self.0 & 0xFFFF_FFFF).unwrap_or(0)
    }
}

fn write_hex(out: &mut String, value: u64) {
    write!(out, "{value:016x}").expect("a string takes everything");
}

/// The finaliser of splitmix64: a bijection that changes about half of the bits for each bit that changes.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A bijection on 32 bits, with its inverse below.
fn scramble(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

fn unscramble(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x4302_1123);
    x ^= (x >> 15) ^ (x >> 30);
    x = x.wrapping_mul(0x1D69_E2A5);
    x ^ (x >> 16)
}

const ID_HIGH: u32 = 0xFFFF_0001;
const ID_LOW: u32 = 0xFFFF_0002;
const ID_HEX: u32 = 0xFFFF_0010;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_index() {
        let seed = Seed::new(1).child("fleet", 7);
        for index in [0, 1, 2, 99, 100_000, u32::MAX] {
            assert_eq!(seed.index_of(&seed.uuid(index)), Some(index));
            assert_eq!(seed.index_of(&seed.hex_id(index)), Some(index));
        }
    }

    #[test]
    fn ids_have_their_usual_form() {
        let seed = Seed::new(1);
        let id = seed.uuid(5);
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert_eq!(seed.hex_id(5).len(), 64);
    }

    #[test]
    fn values_depend_on_every_input() {
        let seed = Seed::new(1);
        let value = seed.draw(3, 4);
        assert_eq!(value, Seed::new(1).draw(3, 4));
        assert_ne!(value, Seed::new(2).draw(3, 4));
        assert_ne!(value, seed.draw(4, 4));
        assert_ne!(value, seed.draw(3, 5));
        assert_ne!(value, seed.child("x", 0).draw(3, 4));
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let seed = Seed::new(9);
        let mut seen = [false; 7];
        for index in 0..200 {
            seen[seed.below(index, 1, 7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
    }
}

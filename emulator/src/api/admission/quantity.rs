//! Amounts of resources: `500m`, `1.5Gi`, `1e3`.

use std::{fmt, str::FromStr};

const NANOS: i128 = 1_000_000_000;
/// Beyond this amounts are capped, as in Kubernetes.
const MOST: i128 = i64::MAX as i128 * NANOS;

/// The family of suffixes that an amount is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Exponent,
    Binary,
}

/// An amount, exact to a thousand-millionth.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// No number, or text after it.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// A suffix that is none.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// A number that is none.
    #[error("unable to parse numeric part of quantity")]
    Number,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self {
        nanos: 0,
        format: Format::Decimal,
    };

    /// An amount of whole units.
    pub fn from_units(units: i64) -> Self {
        Self {
            nanos: i128::from(units) * NANOS,
            format: Format::Decimal,
        }
    }

    /// Whole units, rounded up.
    pub fn units(self) -> i64 {
        i64::try_from(ceiling(self.nanos, NANOS)).unwrap_or(i64::MAX)
    }

    /// Thousandths, rounded up.
    pub fn millis(self) -> i64 {
        i64::try_from(ceiling(self.nanos, NANOS / 1000)).unwrap_or(i64::MAX)
    }

    /// In thousand-millionths: for comparing.
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// The sum, written as the larger family of the two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            nanos: (self.nanos + other.nanos).min(MOST),
            format: if self.nanos == 0 { other.format } else { self.format },
        }
    }
}

impl Quantity {
    /// The difference, written as the larger family of the two; at least nothing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            nanos: (self.nanos - other.nanos).max(0),
            format: self.format,
        }
    }

    /// How many times the other amount this one is; of nothing it is infinitely many.
    pub fn ratio_to(self, other: Self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a ratio is compared and shown to six decimals"
        )]
        let ratio = self.nanos as f64 / other.nanos as f64;
        ratio
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

fn ceiling(value: i128, unit: i128) -> i128 {
    // Away from zero, as Kubernetes rounds.
    if value >= 0 {
        (value + unit - 1) / unit
    } else {
        (value - unit + 1) / unit
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let negative = text.starts_with('-');
        let digits = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(digits);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(QuantityError::Format);
        }
        if fraction.contains('.') {
            return Err(QuantityError::Number);
        }
        let rest = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
        let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        if !rest.chars().all(|c| c.is_ascii_digit()) {
            return Err(QuantityError::Format);
        }
        let (base, exponent, format) = suffix_scale(suffix).ok_or(QuantityError::Suffix)?;
        let nanos = scaled(whole, fraction, base, exponent).ok_or(QuantityError::Number)?;
        Ok(Self {
            nanos: if negative { -nanos } else { nanos },
            format,
        })
    }
}

/// Base and exponent of a suffix.
fn suffix_scale(suffix: &str) -> Option<(i128, i32, Format)> {
    let decimal = |exponent| Some((10, exponent, Format::Decimal));
    let binary = |exponent| Some((2, exponent, Format::Binary));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            Some((10, exponent.parse().ok()?, Format::Exponent))
        }
    }
}

/// `whole.fraction × base^exponent` in thousand-millionths, rounded up and capped.
fn scaled(whole: &str, fraction: &str, base: i128, exponent: i32) -> Option<i128> {
    // More digits than these change nothing that is kept, beyond rounding up.
    let whole = whole.trim_start_matches('0');
    if whole.len() > 28 {
        return Some(MOST);
    }
    let kept = &fraction[..fraction.len().min(9)];
    let lost = fraction[kept.len()..].bytes().any(|digit| digit != b'0');
    let mut mantissa: i128 = format!("0{whole}{kept}").parse().ok()?;
    let mut ten = 9 - i32::try_from(kept.len()).ok()?;
    if base == 2 {
        mantissa = mantissa.checked_mul(1_i128 << exponent).unwrap_or(MOST);
    } else {
        ten = ten.saturating_add(exponent);
    }
    let value = if mantissa == 0 {
        0
    } else if ten >= 0 {
        u32::try_from(ten)
            .ok()
            .and_then(|ten| 10_i128.checked_pow(ten))
            .and_then(|factor| mantissa.checked_mul(factor))
            .unwrap_or(MOST)
    } else {
        match 10_i128.checked_pow(ten.unsigned_abs()) {
            Some(divisor) => ceiling(mantissa, divisor),
            None => 1,
        }
    };
    Some((value + i128::from(lost)).min(MOST))
}

impl fmt::Display for Quantity {
    /// The canonical form: no fraction, the largest suffix that loses nothing.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return formatter.write_str("0");
        }
        let small = self.nanos.abs() < 1024 * NANOS;
        if self.format == Format::Binary && !small && self.nanos % NANOS == 0 {
            let mut units = self.nanos / NANOS;
            let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
            let mut suffix = suffixes.next().unwrap_or_default();
            while units % 1024 == 0 {
                let Some(next) = suffixes.next() else { break };
                units /= 1024;
                suffix = next;
            }
            return write!(formatter, "{units}{suffix}");
        }
        let mut value = self.nanos;
        let mut exponent = -9;
        while value % 1000 == 0 && exponent < 18 {
            value /= 1000;
            exponent += 3;
        }
        if self.format == Format::Exponent {
            return match exponent {
                0 => write!(formatter, "{value}"),
                _ => write!(formatter, "{value}e{exponent}"),
            };
        }
        let suffix = match exponent {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            0 => "",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            _ => "E",
        };
        write!(formatter, "{value}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        text.parse::<Quantity>().unwrap().to_string()
    }

    #[test]
    fn amounts_are_written_in_canonical_form() {
        for (text, expected) in [
            ("0.5", "500m"),
            ("1.5", "1500m"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("100Mi", "100Mi"),
            ("0.5Ki", "512"),
            ("1000", "1k"),
            ("2000000", "2M"),
            ("1e3", "1e3"),
            ("1E", "1E"),
            ("0", "0"),
            ("-1", "-1"),
            ("128974848", "128974848"),
            ("9999999999999999999999999999999999999999", "9223372036854775807"),
            ("0.0000000001", "1n"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[+-]?[0-9.]{0,40}[eEinumkKMGTP]{0,3}[-+]?[0-9]{0,12}") {
            if let Ok(amount) = text.parse::<Quantity>() {
                // What is written is read as the same amount.
                proptest::prop_assert_eq!(amount.to_string().parse::<Quantity>(), Ok(amount));
                let _ = (amount.units(), amount.millis(), amount.plus(amount));
            }
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        assert_eq!("".parse::<Quantity>(), Err(QuantityError::Format));
        assert_eq!("x".parse::<Quantity>(), Err(QuantityError::Format));
        assert_eq!("1 Gi".parse::<Quantity>(), Err(QuantityError::Format));
        assert_eq!("1gi".parse::<Quantity>(), Err(QuantityError::Format));
        assert_eq!("1Kii".parse::<Quantity>(), Err(QuantityError::Suffix));
    }
}

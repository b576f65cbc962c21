//! Quantities: `500m`, `64Mi`, `1.5`.

/// The value of a quantity, where it is one.
pub fn value(text: &str) -> Option<f64> {
    let end = text.find(|character: char| !character.is_ascii_digit() && !matches!(character, '.' | '-' | '+'));
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let number: f64 = number.parse().ok()?;
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent => 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number * factor)
}

/// How often the divisor goes into the quantity, rounded up, as a container's environment gets it.
pub fn divided(quantity: &str, divisor: &str) -> Option<i64> {
    let (quantity, divisor) = (value(quantity)?, value(divisor)?);
    let ratio = quantity / divisor;
    // Decimal fractions have no exact binary form: 0.5 / 0.001 must not become 501.
    let rounded = if (ratio - ratio.round()).abs() < 1e-6 {
        ratio.round()
    } else {
        ratio.ceil()
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, as the API's own conversion does"
    )]
    (divisor > 0.0).then_some(rounded as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_divided_and_rounded_up() {
        assert_eq!(divided("500m", "1m"), Some(500));
        assert_eq!(divided("500m", "1"), Some(1));
        assert_eq!(divided("64Mi", "1Mi"), Some(64));
        assert_eq!(divided("64Mi", "1"), Some(67_108_864));
        assert_eq!(divided("1e3", "1"), Some(1000));
        assert_eq!(divided("many", "1"), None);
    }
}

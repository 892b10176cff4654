//! Numbers with as many digits as matter.

/// Most decimals of a number, without the additional ones.
const MOST: usize = 12;

/// Number with three significant digits below 10 and one decimal from 10 on, and with `more`
/// decimals. Zeros at the end are left out, but for the first decimal: `0.024`, `1.0`, `31.8`.
pub(crate) fn significant(number: f64, more: usize) -> String {
    let mut decimals = match number.abs() {
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let mut first_decimals = number.abs();
    while first_decimals < 0.1 && decimals < MOST {
        first_decimals *= 10.0;
        decimals += 1;
    }
    decimals += more;
    let text = format!("{number:.decimals$}");
    let shortest = text.trim_end_matches('0');
    match shortest.ends_with('.') {
        true => format!("{shortest}0"),
        false => shortest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(0.0, "0.0")]
    #[case::tiny(0.000_030_4, "0.0000304")]
    #[case::small(0.024, "0.024")]
    #[case::rounded(0.024_06, "0.0241")]
    #[case::below_one(0.96, "0.96")]
    #[case::rounded_to_a_whole(0.999_9, "1.0")]
    #[case::whole(1.0, "1.0")]
    #[case::some(2.345_6, "2.35")]
    #[case::many(31.82, "31.8")]
    #[case::hundreds(1_200.0, "1200.0")]
    #[case::negative(-0.024, "-0.024")]
    fn small_numbers_have_three_significant_digits(#[case] number: f64, #[case] text: &str) {
        assert_eq!(significant(number, 0), text);
    }

    #[test]
    fn additional_digits_tell_close_numbers_apart() {
        assert_eq!([0.999_9, 1.0].map(|number| significant(number, 1)), ["0.9999", "1.0"]);
    }
}

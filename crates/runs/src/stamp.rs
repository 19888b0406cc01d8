//! Points in time as text: RFC 3339, UTC, nine decimals, so that order of text is order of time.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Now, as in `2026-11-23T13:44:55.123456789Z`.
pub(crate) fn now() -> String {
    render(OffsetDateTime::now_utc())
}

fn render(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:9]Z");
    at.to_offset(time::UtcOffset::UTC).format(form).expect("every date of this era has this form")
}

/// The day of a stamp, as in `2026-11-23`.
pub(crate) fn day(stamp: &str) -> &str {
    stamp.get(..10).unwrap_or(stamp)
}

/// To the second and without the letters, for people: `2026-11-23 13:44:55`.
pub(crate) fn for_people(stamp: &str) -> String {
    stamp.get(..19).map_or_else(|| stamp.to_owned(), |text| text.replace('T', " "))
}

/// Seconds from one stamp to another, where both are stamps.
pub(crate) fn seconds_between(from: &str, to: &str) -> Option<f64> {
    let parse = |stamp| OffsetDateTime::parse(stamp, &Rfc3339).ok();
    Some((parse(to)? - parse(from)?).as_seconds_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_one_width_and_name_their_day() {
        let epoch = render(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(epoch, "1970-01-01T00:00:00.000000000Z");
        assert_eq!(day(&epoch), "1970-01-01");
        assert_eq!(for_people(&epoch), "1970-01-01 00:00:00");
        assert_eq!(seconds_between(&epoch, "1970-01-01T00:01:30.5Z"), Some(90.5));
        assert_eq!(seconds_between(&epoch, "yesterday"), None);
    }
}

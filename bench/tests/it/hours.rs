//! Opening hours against Postgres: each minute of 2024 to 2027, with Postgres's own time zones and a formulation of its
//! own, in which all intervals of all dates are laid out as ranges of local time and an instant's local time is looked
//! for among them.
//!
//! Postgres takes the zones' rules from the system, Dialplane from its own copy, and one may be newer. The zones here
//! have had the same rules in both for these years since tzdata 2025b. Left out for their newer rules: Africa/Casablanca
//! (2026), Europe/Chisinau, and Canada's west (2026). Where a zone's rules differ the test says so, as what it is.

#![expect(clippy::unwrap_used, reason = "what is wrong in a test's own data can only end it")]

use dialplane_bench::system::Database;
use dialplane_common::route::{Date, Holiday, Hours, Interval, Openings, open_at, openings_on};
use dialplane_common::time::UnixSeconds;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

const FIRST: &str = "2024-01-01T00:00:00Z";
const END: &str = "2028-01-01T00:00:00Z";

/// Intervals as (weekday from Monday 0, start, end) in wall time; an end at or before the start is past midnight.
/// Every day has some in the hours in which clocks are changed.
const EVERY_DAY: [(&str, &str); 8] = [
    ("00:15", "00:45"),
    ("01:10", "01:25"),
    ("01:35", "01:50"),
    ("02:05", "02:25"),
    ("02:50", "03:20"),
    ("09:00", "12:30"),
    ("23:10", "23:20"),
    ("23:30", "23:50"),
];
const SOME_DAYS: [(usize, &str, &str); 6] = [
    (0, "12:30", "17:00"),
    (1, "20:00", "24:00"),
    (2, "00:00", "24:00"),
    (3, "18:00", "00:00"),
    (4, "18:00", "02:30"),
    (5, "22:00", "01:20"),
];
/// Dates that are as their intervals here: closed, past midnight, and next to each other.
const HOLIDAYS: [(&str, &[(&str, &str)]); 8] = [
    ("2024-02-29", &[("10:00", "11:00"), ("23:10", "23:40")]),
    ("2024-12-25", &[]),
    ("2025-03-30", &[("01:15", "01:45"), ("08:00", "24:00")]),
    ("2025-12-24", &[("09:00", "13:00")]),
    ("2025-12-25", &[]),
    ("2025-12-31", &[("20:00", "06:00")]),
    ("2026-01-01", &[("12:00", "00:00")]),
    ("2026-11-01", &[("00:30", "01:05"), ("01:10", "01:50")]),
];

fn minutes(text: &str) -> u16 {
    let (hour, minute) = text.split_once(':').unwrap();
    hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
}

fn interval(start: &str, end: &str) -> Interval {
    Interval::new(minutes(start), minutes(end)).unwrap()
}

fn weekday_intervals(weekday: usize) -> Vec<(&'static str, &'static str)> {
    let more = SOME_DAYS.iter().filter(|(day, ..)| *day == weekday).map(|(_, start, end)| (*start, *end));
    EVERY_DAY.into_iter().chain(more).collect()
}

fn hours() -> Hours {
    let of = |intervals: &[(&str, &str)]| intervals.iter().map(|(start, end)| interval(start, end)).collect();
    let holiday = |(date, intervals): (&str, &[(&str, &str)])| Holiday {
        date: Date::from(date.parse::<civil::Date>().unwrap()),
        intervals: of(intervals),
    };
    Hours {
        weekly: Some(std::array::from_fn(|weekday| of(&weekday_intervals(weekday)))),
        holidays: Some(HOLIDAYS.map(holiday).to_vec()),
        forced: None,
    }
}

/// One line for each thousand minutes, a digit for each minute: 1 where it is open.
///
/// An interval lies on a date from its start, as wide as the difference of its ends, and a day more when it would end
/// before it starts; `isodow` counts Monday as 1.
fn query(zone: &str) -> String {
    let row =
        |key: String, (start, end): &(&str, &str)| format!("({key}, interval '{start}', interval '{end}')");
    let weekly: Vec<String> = (0..7)
        .flat_map(|weekday| weekday_intervals(weekday).into_iter().map(move |times| (weekday, times)))
        .map(|(weekday, times)| row((weekday + 1).to_string(), &times))
        .collect();
    let special: Vec<String> = HOLIDAYS
        .iter()
        .flat_map(|(date, intervals)| intervals.iter().map(move |times| row(format!("date '{date}'"), times)))
        .collect();
    let dates: Vec<String> = HOLIDAYS.iter().map(|(date, _)| format!("(date '{date}')")).collect();
    format!(
        "set jit = off; set work_mem = '128MB';
         with weekly(isodow, opens, closes) as (values {weekly}),
         special(date, opens, closes) as (values {special}),
         holiday(date) as (values {dates}),
         calendar as (select day::date as date from generate_series(timestamp '2023-12-30', '2028-01-02', '1 day') day),
         opening as (
             select date + opens as from_local, opens, closes, date from calendar
                 join weekly on weekly.isodow = extract(isodow from date)
                 where date not in (select date from holiday)
             union all
             select special.date + opens, opens, closes, special.date from special
         ),
         range as (
             select tsrange(from_local,
                 date + closes + case when closes <= opens then interval '1 day' else interval '0' end) as local
             from opening
         ),
         plan as materialized (
             select date, range_agg(range.local) as open from calendar
                 join range on range.local && tsrange(date, date + 1) group by date
         ),
         minute as (
             select number, (timestamptz '{FIRST}' + number * interval '1 minute') at time zone '{zone}' as local
             from generate_series(0, {last}) number
         ),
         -- Materialized, so that what is sorted below is a digit a row and not a day's ranges.
         answer as materialized (
             select number, case when plan.open @> local then '1' else '0' end as digit
             from minute left join plan on plan.date = local::date
         )
         select string_agg(digit, '' order by number) from answer group by number / 1000 order by number / 1000",
        weekly = weekly.join(", "),
        special = special.join(", "),
        dates = dates.join(", "),
        last = minute_count() - 1,
    )
}

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn minute_count() -> i64 {
    (second(END) - second(FIRST)) / 60
}

/// Compares each minute, and says at the first difference whose it is.
fn check(name: &str) {
    let zone = TimeZone::get(name).unwrap();
    let database = Database::create();
    let answer: String = database.query(&query(name)).split_whitespace().collect();
    assert_eq!(i64::try_from(answer.len()).unwrap(), minute_count(), "{name}: a digit for each minute");
    let (hours, first) = (hours(), second(FIRST));
    let mut minutes_open = 0;
    for (number, digit) in (0..).zip(answer.bytes()) {
        let now = UnixSeconds(first + number * 60);
        let open = open_at(&[Some(&hours)], &zone, now).open;
        minutes_open += u32::from(open);
        if open != (digit == b'1') {
            differ(&database, name, &zone, now, open);
        }
    }
    assert!(minutes_open > 500_000 && i64::from(minutes_open) < minute_count() - 500_000, "{name}");
    changes_are_met(name, &zone, &hours);
}

fn differ(database: &Database, name: &str, zone: &TimeZone, now: UnixSeconds, open: bool) -> ! {
    let wall = zone.to_datetime(Timestamp::from_second(now.0).unwrap());
    let sql =
        format!("select to_char(to_timestamp({}) at time zone '{name}', 'YYYY-MM-DD\"T\"HH24:MI:SS')", now.0);
    let theirs = database.query(&sql);
    assert_eq!(
        theirs,
        wall.to_string(),
        "{name} at {now:?}: Postgres's rules for the zone (left) aren't jiff's; one is newer: take another zone"
    );
    panic!("{name} at {now:?}, {wall} there: open_at says {open}, Postgres says {}", !open);
}

/// Checks that the hours above reach into what is hard about a zone: each gap has an interval that lies wholly inside,
/// and each fold one that lies wholly inside as well, so that it comes twice.
fn changes_are_met(name: &str, zone: &TimeZone, hours: &Hours) {
    let [first, end] = [FIRST, END].map(|text| text.parse::<Timestamp>().unwrap());
    for change in zone.following(first).take_while(|change| change.timestamp() < end) {
        let before = zone.to_offset(Timestamp::from_second(change.timestamp().as_second() - 1).unwrap());
        let mut walls = [before, change.offset()].map(|offset| offset.to_datetime(change.timestamp()));
        if walls[0] == walls[1] {
            continue;
        }
        walls.sort_unstable();
        let date = walls[0].date();
        let midnight = date.to_datetime(civil::Time::midnight());
        let [from, to] = walls.map(|wall| wall.duration_since(midnight).as_mins());
        let intervals = match openings_on(&[Some(hours)], date.into()) {
            Openings::Intervals(intervals) => intervals,
            Openings::Always => &[],
        };
        let inside = intervals.iter().any(|interval| {
            !interval.passes_midnight() && from <= interval.start().into() && i64::from(interval.end()) <= to
        });
        assert!(inside, "{name}: no interval lies inside {} to {}", walls[0], walls[1]);
    }
}

/// One test a zone, so that they run side by side.
macro_rules! zones {
    ($($(#[$what:meta])* $test:ident $name:literal)*) => {$(
        $(#[$what])*
        #[test]
        fn $test() {
            check($name);
        }
    )*};
}

zones! {
    /// What most people have: 02:00 to 03:00 is left out, 01:00 to 02:00 comes twice.
    new_york "America/New_York"
    /// Half an hour off, at the same wall times.
    st_johns "America/St_Johns"
    /// Stopped changing its clocks in 2024.
    asuncion "America/Asuncion"
    /// The gap begins at midnight, the fold ends there.
    santiago "America/Santiago"
    /// The gap ends at midnight; in the fold midnight comes twice, and the date goes back.
    nuuk "America/Nuuk"
    /// Summer is its standard time and winter the exception.
    dublin "Europe/Dublin"
    /// The gap begins at a Friday's midnight, the fold ends at one.
    cairo "Africa/Cairo"
    /// Dates from a list, around Ramadan.
    gaza "Asia/Gaza"
    /// Moved once and for all: 1 March 2024 began twice.
    almaty "Asia/Almaty"
    /// 5:45 ahead, never changed.
    kathmandu "Asia/Kathmandu"
    /// Half an hour of daylight saving.
    lord_howe "Australia/Lord_Howe"
    /// 12:45 ahead, changed at a quarter to three.
    chatham "Pacific/Chatham"
}

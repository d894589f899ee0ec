//! How a simulated call goes, and what of it is told, in which order and how often. A call is drawn from a seed and its
//! place alone, so that what has to be recorded can be worked out again without keeping it.

use crate::simulation::dice::Dice;

/// A webhook that a carrier sends of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// It comes in.
    Offered,
    /// It rings.
    Ringing,
    /// Somebody took it.
    Answered,
    /// It is over.
    Over,
}

/// How often something goes wrong on the way: each a share of the webhooks, or of the calls.
#[derive(Clone, Copy, Debug)]
pub struct Mishaps {
    /// Webhooks that never arrive.
    pub lost: f64,
    /// Webhooks that come again, once or several times.
    pub repeated: f64,
    /// Calls whose webhooks come in any order.
    pub shuffled: f64,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Course {
    /// Which salon is called.
    pub salon: usize,
    /// Twilio's name of the call.
    pub sid: String,
    /// Who calls.
    pub from: String,
    /// How it ends, in Twilio's words.
    pub end: &'static str,
    /// How long the conversation lasts, in seconds; 0 without one.
    pub duration_s: u64,
    /// What arrives, in this order.
    pub told: Vec<Word>,
}

/// The ends of calls, by how many of ten end so.
const ENDS: [&str; 10] = [
    "completed",
    "completed",
    "completed",
    "completed",
    "completed",
    "completed",
    "no-answer",
    "busy",
    "canceled",
    "failed",
];
/// No conversation lasts longer.
const DURATION_S_MAX: u64 = 900;
/// A webhook comes no more often.
const TIMES_MAX: u64 = 4;

impl Course {
    /// The call at a place.
    #[must_use]
    pub fn of(index: u64, seed: u64, salons: usize, mishaps: &Mishaps) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(index));
        let salon = dice.place(salons);
        let end = ENDS[dice.place(ENDS.len())];
        let is_answered = end == "completed";
        let duration_s = if is_answered { dice.of(1..DURATION_S_MAX) } else { 0 };
        let mut told = Vec::new();
        for word in [Word::Offered, Word::Ringing, Word::Answered, Word::Over] {
            if (word == Word::Answered && !is_answered) || dice.chance(mishaps.lost) {
                continue;
            }
            let times = if dice.chance(mishaps.repeated) { dice.of(2..TIMES_MAX + 1) } else { 1 };
            told.extend((0..times).map(|_| word));
        }
        if dice.chance(mishaps.shuffled) {
            for at in (1..told.len()).rev() {
                told.swap(at, dice.place(at + 1));
            }
        }
        let from = format!("+1510555{:04}", dice.of(0..10_000));
        Self { salon, sid: format!("CA{seed:08x}{index:024x}"), from, end, duration_s, told }
    }

    /// Whether this arrives, however often.
    #[must_use]
    pub fn tells(&self, word: Word) -> bool {
        self.told.contains(&word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mishaps_are_as_frequent_as_they_are_wanted() {
        let mishaps = Mishaps { lost: 0.1, repeated: 0.2, shuffled: 0.5 };
        let courses: Vec<Course> = (0..10_000).map(|index| Course::of(index, 1, 7, &mishaps)).collect();
        let share = |holds: &dyn Fn(&Course) -> bool| {
            courses.iter().filter(|course| holds(course)).count() as f64 / courses.len() as f64
        };
        let lost = share(&|course| !course.tells(Word::Over));
        let repeated = share(&|course| course.told.iter().filter(|word| **word == Word::Over).count() > 1);
        let early = share(&|course| course.told.first() == Some(&Word::Over));
        assert!((0.08..0.12).contains(&lost), "{lost}");
        assert!((0.16..0.20).contains(&repeated), "{repeated}");
        assert!((0.10..0.25).contains(&early), "{early}");
        assert_eq!(format!("{:?}", courses[7]), format!("{:?}", Course::of(7, 1, 7, &mishaps)));
    }
}

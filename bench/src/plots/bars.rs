//! Horizontal bars with their values, as SVG. Colours follow the reader's choice of light or dark.

use std::fmt;

/// A drawing.
pub struct Bars {
    pub title: String,
    /// What the axis says, with its unit.
    pub axis: String,
    /// Shown are the tones that a bar has.
    pub legend: Vec<(Tone, &'static str)>,
    pub bars: Vec<Bar>,
}

/// One bar.
pub struct Bar {
    pub label: String,
    pub value: f64,
    /// What is written at its end.
    pub note: String,
    pub tone: Tone,
}

/// How a bar is filled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Own,
    Full,
    Half,
    Faint,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Full => "full",
            Self::Half => "half",
            Self::Faint => "faint",
        }
    }
}

const STYLE: &str = "text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-size: 15px; font-weight: 600 } \
.dim { fill: #57606a; font-size: 12px } .grid { stroke: #d0d7de } .own { fill: #0969da } .full { fill: #57606a } \
.half { fill: #8c959f } .faint { fill: #d0d7de } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } \
.dim { fill: #9198a1 } .grid { stroke: #3d444d } .own { fill: #4493f8 } .full { fill: #9198a1 } \
.half { fill: #656c76 } .faint { fill: #3d444d } }";

/// All in pixels of the drawing.
const WIDTH: f64 = 820.0;
const LABELS: f64 = 280.0;
const NOTES: f64 = 120.0;
const TOP: f64 = 68.0;
const ROW: f64 = 26.0;
const THICKNESS: f64 = 16.0;
const BOTTOM: f64 = 48.0;

impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = TOP + ROW * self.bars.len() as f64;
        let (height, title) = (end + BOTTOM, text(&self.title));
        writeln!(f, r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">"#)?;
        writeln!(f, "<title>{title}</title>\n<style>{STYLE}</style>")?;
        writeln!(f, r#"<text class="title" x="8" y="22">{title}</text>"#)?;
        self.legend(f)?;
        let scale = Scale::new(self.bars.iter().map(|bar| bar.value).fold(0.0, f64::max));
        for tick in scale.ticks() {
            let x = scale.x(tick);
            writeln!(f, r#"<line class="grid" x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{end}"/>"#)?;
            writeln!(
                f,
                r#"<text class="dim" x="{x:.1}" y="{}" text-anchor="middle">{tick}</text>"#,
                end + 16.0
            )?;
        }
        for (index, bar) in self.bars.iter().enumerate() {
            bar.draw(f, &scale, TOP + ROW * index as f64)?;
        }
        writeln!(f, r#"<text class="dim" x="{LABELS}" y="{}">{}</text>"#, end + 36.0, text(&self.axis))?;
        writeln!(f, "</svg>")
    }
}

impl Bars {
    fn legend(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.legend.iter().filter(|(tone, _)| self.bars.iter().any(|bar| bar.tone == *tone));
        for (index, (tone, meaning)) in shown.enumerate() {
            let x = 8.0 + 170.0 * index as f64;
            writeln!(f, r#"<rect class="{}" x="{x}" y="38" width="12" height="12"/>"#, tone.class())?;
            writeln!(f, r#"<text class="dim" x="{}" y="48">{}</text>"#, x + 18.0, text(meaning))?;
        }
        Ok(())
    }
}

impl Bar {
    fn draw(&self, f: &mut fmt::Formatter<'_>, scale: &Scale, top: f64) -> fmt::Result {
        let (baseline, left, end) = (top + 17.0, LABELS - 8.0, scale.x(self.value));
        let (label, note, class) = (text(&self.label), text(&self.note), self.tone.class());
        writeln!(f, r#"<text x="{left}" y="{baseline}" text-anchor="end">{label}</text>"#)?;
        let (y, width) = (top + 5.0, end - LABELS);
        writeln!(
            f,
            r#"<rect class="{class}" x="{LABELS}" y="{y}" width="{width:.1}" height="{THICKNESS}"/>"#
        )?;
        writeln!(f, r#"<text class="dim" x="{:.1}" y="{baseline}">{note}</text>"#, end + 6.0)
    }
}

/// From zero to the greatest value, with ticks at round ones.
struct Scale {
    greatest: f64,
    step: f64,
}

impl Scale {
    fn new(greatest: f64) -> Self {
        let greatest = if greatest > 0.0 { greatest } else { 1.0 };
        let power = 10_f64.powf((greatest / 4.0).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| greatest / step <= 6.0).unwrap_or(greatest);
        Self { greatest, step }
    }

    fn x(&self, value: f64) -> f64 {
        LABELS + (WIDTH - LABELS - NOTES) * value / self.greatest
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..).map(|index| f64::from(index) * self.step).take_while(|tick| *tick <= self.greatest)
    }
}

/// Text as XML writes it.
fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values_and_ticks_are_round() {
        let bar = |label: &str, value, tone| Bar { label: label.into(), value, note: "n".into(), tone };
        let bars = Bars {
            title: "A & B".into(),
            axis: "things".into(),
            legend: vec![(Tone::Own, "own"), (Tone::Half, "nobody's")],
            bars: vec![bar("a", 160.0, Tone::Own), bar("b", 40.0, Tone::Faint)],
        };
        let drawing = bars.to_string();
        assert!(drawing.contains("<title>A &amp; B</title>") && !drawing.contains("nobody"));
        assert!(drawing.contains(r#"class="own" x="280" y="73" width="420.0""#), "{drawing}");
        assert!(drawing.contains(r#"class="faint" x="280" y="99" width="105.0""#), "{drawing}");
        let ticks: Vec<f64> = Scale::new(160.0).ticks().collect();
        assert_eq!(ticks, [0.0, 50.0, 100.0, 150.0]);
    }
}

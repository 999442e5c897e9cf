//! How many times faster, as a picture.

use super::Record;

const LEFT: f64 = 620.0; // where the bars begin at their lowest
const WIDTH: f64 = 400.0; // of the axis
const BAR: f64 = 16.0;
const STEP: f64 = 22.0;
const TOP: f64 = 40.0;

/// A bar.
struct Bar {
    label: String,
    peer: String,
    ratio: f64,
}

/// An SVG image with a bar for each row and peer, along a logarithmic axis. `None` without any.
pub fn plot(record: &Record) -> Option<String> {
    let bars = bars(record);
    let ratios = || bars.iter().map(|bar| bar.ratio);
    let low = ratios().reduce(f64::min)?.min(0.5).log2().floor();
    let high = ratios().reduce(f64::max)?.max(2.0).log2().ceil();
    let x = |ratio: f64| LEFT + WIDTH * (ratio.log2() - low) / (high - low);
    let bottom = TOP + STEP * bars.len() as f64;
    let (width, height) = (LEFT + WIDTH + 70.0, bottom + 34.0);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<rect width="{width}" height="{height}" fill="#ffffff"/>
<text x="12" y="22" font-size="14" fill="#222222">times as fast as the other: right of 1 Attendant is faster</text>
"##
    );
    for power in low as i32..=high as i32 {
        let (at, ratio) = (x(2f64.powi(power)), 2f64.powi(power));
        let color = if power == 0 { "#222222" } else { "#dddddd" };
        svg += &format!(
            r##"<line x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{bottom:.1}" stroke="{color}"/>
<text x="{at:.1}" y="{:.1}" text-anchor="middle" fill="#555555">{ratio}</text>
"##,
            bottom + 18.0
        );
    }
    for (place, bar) in bars.iter().enumerate() {
        let (y, one, end) = (TOP + STEP * place as f64 + 3.0, x(1.0), x(bar.ratio));
        let color = color(&bar.peer);
        svg += &format!(
            r##"<rect x="{:.1}" y="{y:.1}" width="{:.1}" height="{BAR}" fill="{color}"/>
<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#222222">{}</text>
<text x="{:.1}" y="{:.1}" fill="#222222">{:.2}</text>
"##,
            one.min(end),
            (end - one).abs(),
            LEFT - 10.0,
            y + 12.5,
            escaped(&format!("{} · {}", bar.label, bar.peer)),
            one.max(end) + 5.0,
            y + 12.5,
            bar.ratio,
        );
    }
    Some(svg + "</svg>\n")
}

fn bars(record: &Record) -> Vec<Bar> {
    let mut bars = Vec::new();
    for row in &record.rows {
        for peer in row.peers() {
            let Some(ratio) = row.speed_ratio(peer) else { continue };
            let label = format!("{}, {}", row.title, row.precision);
            bars.push(Bar { label, peer: peer.name.clone(), ratio });
        }
    }
    bars
}

fn color(peer: &str) -> &'static str {
    match peer {
        "PyTorch" => "#d9663d",
        "JAX" => "#5b7fc7",
        "llama.cpp" => "#4b9b6a",
        _ => "#888888",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::outcome;
    use super::*;

    #[test]
    fn a_bar_for_each_that_played() {
        assert_eq!(plot(&Record::default()), None);
        let mut slower = outcome("<b>");
        slower.sides[1].ms = vec![1000.0];
        let svg = plot(&Record { rows: vec![outcome("a"), slower] }).unwrap();
        assert_eq!(svg.matches(r#"height="16""#).count(), 2, "{svg}");
        // From ½ to 2: 1 stands in the middle, each bar is half of the axis.
        assert_eq!(svg.matches(r#"width="200.0" height="16""#).count(), 2, "{svg}");
        let begins = [LEFT, LEFT + WIDTH / 2.0].map(|at| format!(r#"<rect x="{at:.1}""#));
        assert!(begins.iter().all(|begin| svg.contains(begin)), "{svg}");
        assert!(svg.contains(">2.00<") && svg.contains(">0.50<"));
        assert!(svg.contains("The step &lt;b&gt;, f32 · PyTorch") && !svg.contains("JAX"));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}

//! The words of a text that told its class, as numbers and as a picture.

use crate::Error;
use minijinja::Environment;
use serde::Serialize;
use tensor::Float;
use transformer::{Input, Model, Padded, Tokenizer};

/// Blue and orange of Okabe & Ito 2008, "Color Universal Design", which people with any kind of colour
/// vision tell apart: red, green and blue.
const HUES: [&str; 2] = ["0,114,178", "230,159,0"];

/// How strong the strongest tint is: text in black or white stays readable on it.
const STRONGEST: Float = 0.5;

/// A word with the white space before it, and what it has to do with the class: above 0 it speaks for
/// it, below 0 against it, in the score's unit.
pub type Word = (String, Float);

/// A text whose class was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// What stands above it, such as the class.
    pub title: String,
    /// Its words.
    pub words: Vec<Word>,
}

/// The words of a text with what each has to do with `class`, or where that is absent, with the class
/// of the highest score: (X1), [`Model::saliency`], added up over each word's tokens. The words joined
/// are the text; of one longer than `longest` tokens, what is beyond has 0.
///
/// # Errors
/// As [`Model::saliency`], and if the text cannot be tokenized.
pub fn words(
    model: &Model,
    tokenizer: &Tokenizer,
    text: &str,
    longest: Option<usize>,
    class: Option<usize>,
) -> Result<Vec<Word>, Error> {
    let encoded = tokenizer.encode_text(text, longest)?;
    let input = Input {
        text: Padded::right(&[&encoded.ids], model.vocab_size())?,
        token_types: None,
        target: None,
    };
    let class = class.map(|class| [class]);
    let found = model.saliency(&input, class.as_ref().map(|class| &class[..]))?;
    Ok(encoded.words(text, &found.tokens.to_vec()))
}

/// The `count` words that say most, for or against, the strongest first; without those that say
/// nothing.
pub fn most_telling(words: &[Word], count: usize) -> Vec<&Word> {
    let mut telling: Vec<&Word> = words.iter().filter(|(_, value)| *value != 0.0).collect();
    telling.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    telling.truncate(count);
    telling
}

/// The words as HTML, to stand in a page: those that speak for the class in blue, against it in orange,
/// the more the stronger, the most telling one of the text the strongest. Every text is escaped. White
/// space is kept where the style around it says `white-space: pre-wrap`.
///
/// ```
/// let html = train::saliency::fragment(&[("soft".into(), 2.0), (" <rug>".into(), -1.0)]);
/// assert_eq!(
///     html,
///     "<span style=\"background:rgba(0,114,178,0.50)\" title=\"+2.000\">soft</span> \
///      <span style=\"background:rgba(230,159,0,0.25)\" title=\"-1.000\">&lt;rug&gt;</span>"
/// );
/// ```
pub fn fragment(words: &[Word]) -> String {
    render("words.html", include_str!("saliency/words.html"), Words { words: tinted(words) })
}

/// A page of texts with their words tinted, which needs no network and no program but a browser.
pub fn page(texts: &[Explained]) -> String {
    let section = |text: &Explained| Section {
        title: text.title.clone(),
        html: fragment(&text.words),
        telling: most_telling(&text.words, 5).into_iter().map(written).collect(),
    };
    let page =
        Page { hues: HUES, strongest: STRONGEST, texts: texts.iter().map(section).collect() };
    render("page.html", include_str!("saliency/page.html"), page)
}

/// `+0.512 soft`
pub fn written((word, value): &Word) -> String {
    format!("{value:+.3} {}", word.trim())
}

#[derive(Serialize)]
struct Words {
    words: Vec<Tinted>,
}

/// A word as the template shows it.
#[derive(Serialize)]
struct Tinted {
    space: String,
    text: String,
    hue: &'static str,
    strength: String,
    value: String,
}

#[derive(Serialize)]
struct Page {
    hues: [&'static str; 2],
    strongest: Float,
    texts: Vec<Section>,
}

#[derive(Serialize)]
struct Section {
    title: String,
    html: String,
    telling: Vec<String>,
}

fn tinted(words: &[Word]) -> Vec<Tinted> {
    let most = words.iter().fold(0.0, |most: Float, (_, value)| most.max(value.abs()));
    let share = |value: Float| if most > 0.0 { value.abs() / most } else { 0.0 };
    let tint = |(word, value): &Word| {
        let text = word.trim_start();
        Tinted {
            space: word[..word.len() - text.len()].into(),
            text: text.into(),
            hue: HUES[usize::from(*value < 0.0)],
            strength: format!("{:.2}", STRONGEST * share(*value)),
            value: format!("{value:+.3}"),
        }
    };
    words.iter().map(tint).collect()
}

/// The name ends in `.html`, so that every text is escaped.
fn render(name: &str, template: &str, values: impl Serialize) -> String {
    let mut templates = Environment::new();
    templates.add_template(name, template).expect("a fixed template");
    let template = templates.get_template(name).expect("it was added");
    template.render(values).expect("the template's fields are these")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, value: Float) -> Word {
        (text.into(), value)
    }

    #[test]
    fn the_strongest_come_first_whatever_their_sign() {
        let words = [word("a", 0.5), word(" b", -2.0), word(" c", 0.0), word(" d", 0.5)];
        let found: Vec<String> = most_telling(&words, 3).into_iter().map(written).collect();
        assert_eq!(found, ["-2.000 b", "+0.500 a", "+0.500 d"]);
        assert_eq!(most_telling(&words, 1), [&words[1]]);
        assert!(most_telling(&[], 5).is_empty());
    }

    #[test]
    fn a_text_stays_what_it_is_between_its_tags() {
        let words = [word("\n<b>&", -1.0), word(" \"灯\"", 1e-9), word("  ", 0.0)];
        let html = fragment(&words);
        let mut text = String::new();
        for part in html.split('<') {
            text += part.rsplit('>').next().unwrap();
        }
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        assert_eq!(text.replace("&amp;", "&"), "\n<b>& \"灯\"  ");
        assert!(!html.contains("<b>"));
    }

    #[test]
    fn words_that_say_nothing_have_no_tint() {
        assert!(!fragment(&[word("a", 0.0), word(" b", 0.0)]).contains("background"));
        assert_eq!(fragment(&[]), "");
    }

    #[test]
    fn a_page_holds_each_text_escaped() {
        let words = vec![word("<i>soft", 1.0), word(" rug", -0.5)];
        let page = page(&[Explained { title: "good <1>".into(), words: words.clone() }]);
        assert!(page.contains("good &lt;1&gt;") && page.contains(&fragment(&words)));
        assert!(page.contains("+1.000 &lt;i&gt;soft") && page.contains("-0.500 rug"));
        assert!(!page.contains("http") && !page.contains("<script"));
    }
}

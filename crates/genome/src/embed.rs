//! Activations as features of sequences.

use std::str::FromStr;

use nn::Blocked;

use crate::model::{Part, State, StripedHyena, Tap, Token, Watch};

/// A layer by the official names: `embedding_layer`, `blocks.N`, `blocks.N.mlp.l3`, `norm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer(pub Tap);

impl FromStr for Layer {
    type Err = String;

    fn from_str(text: &str) -> Result<Layer, String> {
        let unknown = || {
            format!("`{text}` is none of `embedding_layer`, `blocks.N`, `blocks.N.mlp.l3`, `norm`")
        };
        match text {
            "embedding_layer" => return Ok(Layer(Tap::Embedding)),
            "norm" => return Ok(Layer(Tap::Norm)),
            _ => {}
        }
        let rest = text.strip_prefix("blocks.").ok_or_else(unknown)?;
        let (number, mlp) = match rest.strip_suffix(".mlp.l3") {
            Some(number) => (number, true),
            None => (rest, false),
        };
        let layer = number.parse().map_err(|_| unknown())?;
        Ok(Layer(if mlp { Tap::Mlp(layer) } else { Tap::Block(layer) }))
    }
}

impl Layer {
    /// Whether a model of so many layers has it.
    pub fn is_in(self, n_layers: usize) -> bool {
        match self.0 {
            Tap::Embedding | Tap::Norm => true,
            Tap::Mlp(layer) | Tap::Block(layer) => layer < n_layers,
        }
    }
}

/// What is kept of a sequence's activations, `[T, C]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Their mean over bases, `[C]`.
    Mean,
    /// All, `[T, C]`.
    PerBase,
}

/// Keeps one layer of each part.
struct Keep {
    layer: Layer,
    pool: Pool,
    /// Tokens at the start that are not of interest.
    n_skip: usize,
    /// Sums for a mean, values per base.
    values: Vec<Vec<f64>>,
    n_tokens: Vec<usize>,
}

impl Watch for Keep {
    fn wants(&self, tap: Tap) -> bool {
        tap == self.layer.0
    }

    fn take(&mut self, _: Tap, part: usize, first: usize, activations: &Blocked) {
        let mut row = vec![0.0; activations.n_channels()];
        let n_skip = self.n_skip.saturating_sub(first).min(activations.n_tokens());
        for token in n_skip..activations.n_tokens() {
            activations.read_token(token, &mut row);
            let values = &mut self.values[part];
            match self.pool {
                Pool::PerBase => values.extend(row.iter().copied().map(f64::from)),
                Pool::Mean => {
                    values.resize(row.len(), 0.0);
                    values.iter_mut().zip(&row).for_each(|(sum, value)| *sum += f64::from(*value));
                }
            }
            self.n_tokens[part] += 1;
        }
    }
}

/// One layer of each sequence, row-major: `[C]`, or `[T, C]` without the first `n_skip` tokens. Each
/// sequence gets what it would get alone.
///
/// # Panics
/// If the model has no such layer.
pub fn embed(
    model: &StripedHyena,
    sequences: &[&[Token]],
    n_skip: usize,
    layer: Layer,
    pool: Pool,
) -> Vec<Vec<f32>> {
    assert!(layer.is_in(model.config().num_layers), "the model has the layer");
    let n = sequences.len();
    let mut keep = Keep { layer, pool, n_skip, values: vec![Vec::new(); n], n_tokens: vec![0; n] };
    let mut states: Vec<State> = sequences.iter().map(|_| model.state()).collect();
    let mut parts: Vec<Part<'_>> =
        sequences.iter().zip(&mut states).map(|(tokens, state)| Part { tokens, state }).collect();
    model.forward_parts(&mut parts, &mut keep, |_, _, _| {});
    let finish = |(values, n): (Vec<f64>, usize)| -> Vec<f32> {
        let divisor = if pool == Pool::Mean { n.max(1) as f64 } else { 1.0 };
        values.into_iter().map(|value| (value / divisor) as f32).collect()
    };
    keep.values.into_iter().zip(keep.n_tokens).map(finish).collect()
}

#[cfg(test)]
mod tests {
    use nn::Precision;

    use super::*;
    use crate::load;

    #[test]
    fn layers_are_named_as_the_official_code_names_them() {
        for (text, want) in [
            ("embedding_layer", Tap::Embedding),
            ("blocks.26", Tap::Block(26)),
            ("blocks.28.mlp.l3", Tap::Mlp(28)),
            ("norm", Tap::Norm),
        ] {
            assert_eq!(text.parse(), Ok(Layer(want)));
        }
        for text in ["", "blocks", "blocks.x", "blocks.1.mlp", "blocks.-1", "head"] {
            let error = text.parse::<Layer>().expect_err("no layer");
            assert!(error.contains(text), "{error}");
        }
        assert!(Layer(Tap::Block(7)).is_in(8) && !Layer(Tap::Mlp(8)).is_in(8));
    }

    #[test]
    fn a_mean_is_that_of_the_bases_alone_and_in_a_batch() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evo2_tiny");
        let weights = folder.join("weights.safetensors");
        let model = load::model(&weights.to_string_lossy(), None, Precision::F32).expect("valid");
        let long: Vec<Token> = (0..700).map(|at| Token::from(b"ACGT"[at * at % 4])).collect();
        let sequences: [&[Token]; 2] = [&long, &long[3..20]];
        let layer = Layer(Tap::Mlp(5));
        let each = embed(&model, &sequences, 2, layer, Pool::PerBase);
        let means = embed(&model, &sequences, 2, layer, Pool::Mean);
        for ((each, mean), tokens) in each.iter().zip(&means).zip(sequences) {
            assert_eq!(each.len(), (tokens.len() - 2) * 64);
            for (channel, mean) in mean.iter().enumerate() {
                let values = each.iter().skip(channel).step_by(64);
                let want = values.copied().map(f64::from).sum::<f64>() / (tokens.len() - 2) as f64;
                assert!((f64::from(*mean) - want).abs() < 1e-6);
            }
        }
        assert_eq!(embed(&model, &sequences[1..], 2, layer, Pool::PerBase)[0], each[1]);
    }
}

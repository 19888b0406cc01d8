//! Texts as numbers of tokens, and what was already made of texts.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use tokenizers::Tokenizer;

use super::Failure;
use super::files::Files;
use crate::error::Error;

/// What splits texts up.
pub(super) struct Words {
    tokenizer: Tokenizer,
    /// Numbers that the model has of tokens.
    vocabulary: usize,
    /// Most tokens of a text.
    most: usize,
}

impl Words {
    pub(super) fn open(files: &Files, vocabulary: usize, most: usize) -> Result<Words, Error> {
        let path = files.folder().join("tokenizer.json");
        let failed = |source| Error::File { action: "read", path: path.clone(), source };
        let bytes = std::fs::read(&path).map_err(failed)?;
        let wrong = |error: tokenizers::Error| {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or("it is no tokenizer");
            Error::Backbone { path: path.clone(), reason: format!("no tokenizer: {reason}") }
        };
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(wrong)?;
        // How long texts are is the model's affair.
        tokenizer.with_padding(None).with_truncation(None).map_err(wrong)?;
        Ok(Words { tokenizer, vocabulary, most })
    }

    /// The number that fills texts up: of `pad_token` in `tokenizer_config.json`, or else `default`.
    pub(super) fn pad(&self, files: &Files, default: u32) -> Result<u32, Error> {
        let config = files.beside("tokenizer_config.json")?;
        let token = config.as_ref().and_then(|config| config.get("pad_token"));
        // Either the token itself, or an object about it.
        let text = token.and_then(|token| token.get("content").unwrap_or(token).as_str());
        Ok(text.and_then(|text| self.tokenizer.token_to_id(text)).unwrap_or(default))
    }

    /// Numbers of a text's tokens, with those that the tokenizer puts around it.
    pub(super) fn tokens(&self, text: &str) -> Result<Vec<u32>, Failure> {
        let encoded = self.tokenizer.encode(text, true);
        let encoded = encoded.map_err(|error| Failure::Text(format!("no tokens: {error}")))?;
        let tokens = encoded.get_ids().to_vec();
        let (n, most) = (tokens.len(), self.most);
        if !(1..=most).contains(&n) {
            return Err(Failure::Text(format!("a text of {n} tokens; 1 to {most} are read")));
        }
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.vocabulary) {
            let n = self.vocabulary;
            return Err(Failure::Text(format!("token number {token} where the model has {n}")));
        }
        Ok(tokens)
    }
}

/// Tokens as `[1, T]`.
pub(super) fn row(tokens: &[u32]) -> candle_core::Result<Tensor> {
    Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)
}

/// What was made of texts: an instruction is the same from picture to picture.
#[derive(Default)]
pub(super) struct Kept(BTreeMap<String, Vec<f32>>);

/// Texts that are kept, at most.
const MOST_KEPT: usize = 1024;

impl Kept {
    /// What is kept of a text, made where there is nothing yet.
    pub(super) fn get(
        &mut self,
        text: &str,
        make: impl FnOnce() -> Result<Vec<f32>, Failure>,
    ) -> Result<&[f32], Failure> {
        if !self.0.contains_key(text) {
            let made = make()?;
            if self.0.len() >= MOST_KEPT {
                self.0.clear();
            }
            self.0.insert(text.to_owned(), made);
        }
        Ok(&self.0[text])
    }
}

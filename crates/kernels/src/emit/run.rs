//! Finishes neighbours and stores them: in vectors, then what is left.

use std::collections::HashMap;

use super::Lines;
use super::expr::Scope;
use super::nest::stored;
use super::storage::Storage;
use super::text::Text;
use crate::loops::Expr;
use crate::plan::Stage;

/// What a run is of.
pub(super) struct Neighbours<'a> {
    pub(super) stage: &'a Stage,
    pub(super) storage: &'a Storage,
    /// What becomes of each sum.
    pub(super) finish: &'a Expr,
    /// Text of each variable; that of the run's own has `j` in it.
    pub(super) vars: &'a [String],
    /// The variable of the run.
    pub(super) inner: usize,
    /// Lanes of a vector.
    pub(super) width: usize,
}

/// How a sum is read: by vectors, or under the mask `m1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Vector,
    Masked,
    Single,
}

impl Neighbours<'_> {
    /// From `j` = 0 to `n_run`; `sum` gives the text of the sum at `j`.
    pub(super) fn store(&self, text: &mut Lines, sum: &dyn Fn(Taken) -> Text) {
        let (stage, inner) = (self.stage, self.inner);
        let (dtype, name) = self.storage.array(stage.buffer);
        let array = |source| self.storage.array(source);
        let none = HashMap::new();
        text.line("int64_t j = 0;");
        // Where lanes are stored has to be known.
        let lanes = stage.store.stride(inner).is_some();
        let last = if lanes && self.width == 16 { Taken::Masked } else { Taken::Single };
        for taken in [Taken::Vector, last] {
            let vector = taken != Taken::Single;
            if vector && !lanes {
                continue;
            }
            let folded = sum(taken);
            let under = usize::from(taken == Taken::Masked);
            let scope = Scope {
                vars: self.vars,
                lane: vector.then_some(inner),
                folded: Some(folded.clone()),
                array: &array,
                bound: &none,
                tile: 0,
                copy: 0,
                in_lane: false,
                under,
                sure: under,
            };
            let (lines, bound) = scope.bind(&[self.finish]);
            let scope = Scope { bound: &bound, folded: Some(folded), ..scope };
            text.open(match taken {
                Taken::Vector => "for (; j + W <= n_run; j += W)",
                Taken::Masked => "if (j < n_run)",
                Taken::Single => "for (; j < n_run; j++)",
            });
            if under > 0 {
                text.line("const vi m1 = v_inside(j, 1, 0, n_run);");
            }
            lines.iter().for_each(|line| text.line(line));
            let value =
                if vector { scope.vector(self.finish) } else { scope.value(self.finish).code };
            let at = scope.position(&stage.store);
            let along = vector.then(|| stage.store.stride(inner));
            text.line(&stored(&name, &at, &value, dtype, along, stage.streaming, under > 0));
            text.close();
        }
    }
}

//! What is learned, and which way it should move.

use crate::simd::{self, Kernel, Lanes};
use crate::{Cpu, threads};

/// Values that are worked on at a time.
pub(super) const CHUNK: usize = 1 << 14;

/// Names a parameter of its [`Parameters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Param(pub(super) usize);

/// How what is learned becomes what is used.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// It is used as it is.
    Plain,
    /// Times fixed numbers: a filter under a window.
    Scaled(Vec<f32>),
    /// `-e^x`: always negative, as the logarithm of a decaying pole is.
    NegativeExp,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name in a checkpoint.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What is learned, row-major.
    pub raw: Vec<f32>,
    /// What is used instead.
    pub form: Form,
    /// Whether it is drawn towards 0.
    pub decays: bool,
}

impl Parameter {
    /// What is used.
    pub fn values(&self) -> Vec<f32> {
        match &self.form {
            Form::Plain => self.raw.clone(),
            Form::Scaled(by) => self.raw.iter().zip(by).map(|(raw, by)| raw * by).collect(),
            Form::NegativeExp => self.raw.iter().map(|raw| -raw.exp()).collect(),
        }
    }

    /// From the gradient of what is used to that of what is learned.
    fn pull_back(&self, gradient: &mut [f32]) {
        match &self.form {
            Form::Plain => {}
            Form::Scaled(by) => gradient.iter_mut().zip(by).for_each(|(g, by)| *g *= by),
            Form::NegativeExp => {
                gradient.iter_mut().zip(&self.raw).for_each(|(g, raw)| *g *= -raw.exp());
            }
        }
    }
}

/// All that is learned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    all: Vec<Parameter>,
}

impl Parameters {
    /// Adds one.
    ///
    /// # Panics
    /// If its values do not have its shape.
    pub fn add(&mut self, parameter: Parameter) -> Param {
        assert_eq!(
            parameter.raw.len(),
            parameter.shape.iter().product::<usize>(),
            "{}",
            parameter.name
        );
        self.all.push(parameter);
        Param(self.all.len() - 1)
    }

    /// One of them.
    pub fn get(&self, param: Param) -> &Parameter {
        &self.all[param.0]
    }

    /// All, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.all.iter()
    }

    /// All, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        self.all.iter_mut()
    }

    /// Values in all.
    pub fn n_values(&self) -> usize {
        self.all.iter().map(|parameter| parameter.raw.len()).sum()
    }
}

/// One number for each value.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    all: Vec<Vec<f32>>,
}

impl Gradients {
    /// Zeros.
    pub fn zeros(parameters: &Parameters) -> Gradients {
        Gradients { all: parameters.iter().map(|p| vec![0.0; p.raw.len()]).collect() }
    }

    /// Those of one parameter.
    pub fn of(&self, param: Param) -> &[f32] {
        &self.all[param.0]
    }

    /// Those of one parameter, to be changed.
    pub fn of_mut(&mut self, param: Param) -> &mut [f32] {
        &mut self.all[param.0]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Vec<f32>> {
        self.all.iter()
    }

    /// Adds others.
    pub fn add(&mut self, others: &Gradients) {
        for (into, from) in self.all.iter_mut().zip(&others.all) {
            let parts = into.chunks_mut(CHUNK).zip(from.chunks(CHUNK)).collect();
            threads::map(parts, |(into, from): (&mut [f32], &[f32])| {
                simd::run(Cpu::best(), Add { into, from });
            });
        }
    }

    /// From gradients of what is used to those of what is learned.
    pub fn pull_back(&mut self, parameters: &Parameters) {
        for (gradient, parameter) in self.all.iter_mut().zip(parameters.iter()) {
            parameter.pull_back(gradient);
        }
    }

    /// Euclidean length of all together.
    pub fn norm(&self) -> f64 {
        let squares = |values: &[f32]| -> f64 { values.iter().map(|v| f64::from(v * v)).sum() };
        let parts: Vec<&[f32]> = self.all.iter().flat_map(|values| values.chunks(CHUNK)).collect();
        threads::map(parts, squares).into_iter().sum::<f64>().sqrt()
    }
}

struct Add<'a> {
    into: &'a mut [f32],
    from: &'a [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (into, from) in self.into.iter_mut().zip(self.from) {
            *into += from;
        }
    }
}

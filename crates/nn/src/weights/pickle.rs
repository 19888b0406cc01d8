//! Just enough of Python's pickle for a dictionary of tensors. Nothing is ever called: the few
//! functions that rebuild tensors are recognised by name, any other is an error.
//!
//! Source of the opcodes: CPython's `pickletools`. What a stream may make is bounded: its length
//! bounds the number of values, and containers nest to a fixed depth. So that they do, a dictionary
//! is complete once something else holds it, as in what Python writes of anything without cycles.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::Kind;

/// Deepest nesting: dropping a value recurses.
const DEEPEST: u32 = 64;

/// A value, shared like Python's.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Rc<str>),
    Int(i64),
    Tuple(Rc<[Value]>, u32),
    Dict(Dict),
    Tensor(Rc<TensorInfo>),
    Storage(Rc<Storage>),
    Global(Rc<str>),
    /// Something without a use here.
    Other,
    Mark,
}

/// A tensor as its pickle describes it.
#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) storage: Rc<Storage>,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// A file of numbers in the archive.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) kind: Kind,
    pub(super) key: Rc<str>,
}

/// A dictionary, and how deep it is.
#[derive(Debug, Clone)]
pub(super) struct Dict(Rc<Pairs>);

#[derive(Debug, Default)]
struct Pairs {
    pairs: RefCell<Vec<(Value, Value)>>,
    depth: Cell<u32>,
    complete: Cell<bool>,
}

impl Dict {
    pub(super) fn borrow(&self) -> std::cell::Ref<'_, Vec<(Value, Value)>> {
        self.0.pairs.borrow()
    }

    fn insert(&self, key: Value, value: Value) -> Result<(), String> {
        let depth = self.0.depth.get().max(1 + held(&key).max(held(&value)));
        if depth > DEEPEST {
            return Err("nests too deep".to_owned());
        }
        if self.0.complete.get() {
            return Err("adds to a dictionary that something else holds".to_owned());
        }
        self.0.depth.set(depth);
        self.0.pairs.borrow_mut().push((key, value));
        Ok(())
    }
}

/// How deep a value is that another comes to hold.
fn held(value: &Value) -> u32 {
    match value {
        Value::Tuple(_, depth) => *depth,
        Value::Dict(dict) => {
            dict.0.complete.set(true);
            dict.0.depth.get()
        }
        _ => 0,
    }
}

/// Functions that make something of no interest, harmless in not being called.
const IGNORED: [&str; 8] = [
    "_io.BytesIO",
    "_codecs.encode",
    "torch.device",
    "torch.Size",
    "torch.serialization._get_layout",
    "argparse.Namespace",
    "builtins.set",
    "__builtin__.set",
];

struct Machine<'a> {
    bytes: &'a [u8],
    stack: Vec<Value>,
    memo: HashMap<u32, Value>,
}

/// The value that a pickle describes.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let total = bytes.len();
    let mut machine = Machine { bytes, stack: Vec::new(), memo: HashMap::new() };
    loop {
        let at = total - machine.bytes.len();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(value)) => return Ok(value),
            Err(reason) => return Err(format!("byte {at} of its pickle: {reason}")),
        }
    }
}

impl Machine<'_> {
    fn take(&mut self, n: usize) -> Result<&[u8], String> {
        let (taken, rest) = self.bytes.split_at_checked(n).ok_or("ends too soon")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<u64, String> {
        let mut all = [0; 8];
        all[..N].copy_from_slice(self.take(N)?);
        Ok(u64::from_le_bytes(all))
    }

    fn text<const N: usize>(&mut self) -> Result<Value, String> {
        let n = usize::try_from(self.number::<N>()?).map_err(|_| "a text too long")?;
        let text = std::str::from_utf8(self.take(n)?).map_err(|_| "a text that is not UTF-8")?;
        Ok(Value::Text(text.into()))
    }

    fn skip<const N: usize>(&mut self) -> Result<Value, String> {
        let n = usize::try_from(self.number::<N>()?).map_err(|_| "bytes too long")?;
        self.take(n)?;
        Ok(Value::Other)
    }

    fn line(&mut self) -> Result<String, String> {
        let n = self.bytes.iter().position(|byte| *byte == b'\n').ok_or("ends in a name")?;
        let line = String::from_utf8_lossy(self.take(n)?).into_owned();
        self.take(1)?;
        Ok(line)
    }

    fn pop(&mut self) -> Result<Value, String> {
        self.stack.pop().ok_or_else(|| "takes from an empty stack".to_owned())
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.stack.iter().rposition(|value| matches!(value, Value::Mark));
        let mark = mark.ok_or("no mark")?;
        let values = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(values)
    }

    fn tuple(values: Vec<Value>) -> Result<Value, String> {
        let depth = 1 + values.iter().map(held).max().unwrap_or(0);
        if depth > DEEPEST {
            return Err("nests too deep".to_owned());
        }
        Ok(Value::Tuple(values.into(), depth))
    }

    fn last_n(&mut self, n: usize) -> Result<Value, String> {
        let from = self.stack.len().checked_sub(n).ok_or("takes from an empty stack")?;
        let values = self.stack.split_off(from);
        Self::tuple(values)
    }

    fn remember(&mut self, id: u64) -> Result<(), String> {
        let id = u32::try_from(id).map_err(|_| "a memo too far")?;
        let value = self.stack.last().ok_or("remembers nothing")?.clone();
        self.memo.insert(id, value);
        Ok(())
    }

    fn recall(&mut self, id: u64) -> Result<Value, String> {
        let id = u32::try_from(id).map_err(|_| "a memo too far")?;
        self.memo.get(&id).cloned().ok_or_else(|| "recalls what it never had".to_owned())
    }

    fn set_items(&mut self, items: Vec<Value>) -> Result<(), String> {
        if !items.len().is_multiple_of(2) {
            return Err("a key without a value".to_owned());
        }
        let dict = self.stack.last().ok_or("no dictionary")?.clone();
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            match &dict {
                Value::Dict(dict) => dict.insert(key, value)?,
                Value::Other => {}
                _ => return Err("items for what is no dictionary".to_owned()),
            }
        }
        Ok(())
    }

    /// One instruction; the result at the last.
    fn step(&mut self) -> Result<Option<Value>, String> {
        let opcode = self.take(1)?[0];
        let value = match opcode {
            0x80 => {
                self.take(1)?;
                return Ok(None);
            }
            0x95 => {
                self.take(8)?;
                return Ok(None);
            }
            b'.' => return self.pop().map(Some),
            b'(' => Value::Mark,
            b'N' | 0x88 | 0x89 => Value::Other,
            b'K' => Value::Int(self.number::<1>()?.cast_signed()),
            b'M' => Value::Int(self.number::<2>()?.cast_signed()),
            b'J' => Value::Int(i64::from((self.number::<4>()? as u32).cast_signed())),
            0x8a => self.long()?,
            b'G' => {
                self.take(8)?;
                Value::Other
            }
            b'X' => self.text::<4>()?,
            0x8c => self.text::<1>()?,
            0x8d => self.text::<8>()?,
            b'B' | b'T' => self.skip::<4>()?,
            b'C' | b'U' => self.skip::<1>()?,
            0x8e | 0x96 => self.skip::<8>()?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                Value::Global(format!("{module}.{name}").into())
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => {
                    Value::Global(format!("{module}.{name}").into())
                }
                _ => return Err("a name that is no text".to_owned()),
            },
            b')' => Self::tuple(Vec::new())?,
            0x85 => self.last_n(1)?,
            0x86 => self.last_n(2)?,
            0x87 => self.last_n(3)?,
            b't' => {
                let values = self.since_mark()?;
                Self::tuple(values)?
            }
            b'}' => Value::Dict(Dict(Rc::default())),
            b']' | 0x8f => Value::Other,
            b'l' => {
                self.since_mark()?;
                Value::Other
            }
            b'd' => {
                let items = self.since_mark()?;
                self.stack.push(Value::Dict(Dict(Rc::default())));
                self.set_items(items)?;
                return Ok(None);
            }
            b'e' | 0x90 => {
                self.since_mark()?;
                return Ok(None);
            }
            b'a' | b'0' => {
                self.pop()?;
                return Ok(None);
            }
            b's' => {
                let from = self.stack.len().checked_sub(2).ok_or("an item of nothing")?;
                let items = self.stack.split_off(from);
                self.set_items(items)?;
                return Ok(None);
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set_items(items)?;
                return Ok(None);
            }
            b'q' | b'r' | 0x94 => {
                let id = match opcode {
                    b'q' => self.number::<1>()?,
                    b'r' => self.number::<4>()?,
                    _ => self.memo.len() as u64,
                };
                self.remember(id)?;
                return Ok(None);
            }
            b'h' => {
                let id = self.number::<1>()?;
                self.recall(id)?
            }
            b'j' => {
                let id = self.number::<4>()?;
                self.recall(id)?
            }
            b'Q' => {
                let id = self.pop()?;
                storage(&id)?
            }
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                reduce(&function, &arguments)?
            }
            // State of an object: kept for tensors and dictionaries as they are.
            b'b' => {
                self.pop()?;
                return Ok(None);
            }
            other => return Err(format!("instruction {other:#04x} is not read")),
        };
        self.stack.push(value);
        Ok(None)
    }

    fn long(&mut self) -> Result<Value, String> {
        let n = self.number::<1>()?;
        if n > 8 {
            return Err("a number of more than 64 bits".to_owned());
        }
        let mut all = [0; 8];
        all[..n as usize].copy_from_slice(self.take(n as usize)?);
        let shift = 64 - 8 * n as u32;
        let value = if n == 0 { 0 } else { i64::from_le_bytes(all) << shift >> shift };
        Ok(Value::Int(value))
    }
}

/// What a persistent id means: `("storage", kind, key, device, n)`.
fn storage(id: &Value) -> Result<Value, String> {
    let Value::Tuple(parts, _) = id else { return Err("a storage without a name".to_owned()) };
    let [Value::Text(_), Value::Global(class), Value::Text(key), ..] = &parts[..] else {
        return Err("a storage without a name".to_owned());
    };
    let kind = match &**class {
        "torch.DoubleStorage" => Kind::F64,
        "torch.FloatStorage" => Kind::F32,
        "torch.BFloat16Storage" => Kind::Bf16,
        "torch.HalfStorage" => Kind::F16,
        "torch.CharStorage" => Kind::I8,
        "torch.ByteStorage" => Kind::U8,
        other => Kind::Other(other.to_owned()),
    };
    Ok(Value::Storage(Rc::new(Storage { kind, key: Rc::clone(key) })))
}

/// What a call would give, for the few functions that are known.
fn reduce(function: &Value, arguments: &Value) -> Result<Value, String> {
    let (Value::Global(name), Value::Tuple(arguments, _)) = (function, arguments) else {
        return match function {
            Value::Other => Ok(Value::Other),
            _ => Err("calls what is no function".to_owned()),
        };
    };
    match &**name {
        "collections.OrderedDict" | "collections.defaultdict" => {
            Ok(Value::Dict(Dict(Rc::default())))
        }
        "torch._utils._rebuild_parameter" => {
            arguments.first().cloned().ok_or_else(|| "a parameter of nothing".to_owned())
        }
        "torch._utils._rebuild_tensor_v2" => {
            let [Value::Storage(storage), Value::Int(offset), shape, strides, ..] = &arguments[..]
            else {
                return Err("a tensor that is not described".to_owned());
            };
            let sizes = |value: &Value| -> Option<Vec<usize>> {
                let Value::Tuple(sizes, _) = value else { return None };
                let size = |value: &Value| match value {
                    Value::Int(size) => usize::try_from(*size).ok(),
                    _ => None,
                };
                sizes.iter().map(size).collect()
            };
            let described = (sizes(shape), sizes(strides), usize::try_from(*offset).ok());
            let (Some(shape), Some(strides), Some(offset)) = described else {
                return Err("a tensor of impossible shape".to_owned());
            };
            if shape.len() != strides.len() {
                return Err("a tensor of impossible shape".to_owned());
            }
            let storage = Rc::clone(storage);
            Ok(Value::Tensor(Rc::new(TensorInfo { storage, offset, shape, strides })))
        }
        name if IGNORED.contains(&name) => Ok(Value::Other),
        name => Err(format!("wants to call `{name}`, which is refused")),
    }
}

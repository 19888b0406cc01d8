//! A small assembler for the classic BPF programs that seccomp runs.

/// What a program answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Let the call through.
    Allow,
    /// Fail with this error number.
    Errno(u16),
    /// Stop the caller and ask the supervisor.
    Notify,
}

impl Action {
    fn value(self) -> u32 {
        match self {
            Action::Allow => libc::SECCOMP_RET_ALLOW,
            Action::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
            Action::Notify => libc::SECCOMP_RET_USER_NOTIF,
        }
    }
}

// Codes of linux/bpf_common.h: load word from the call's data, jumps, return.
const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER_EQUAL: u16 = 0x35;
const JUMP_ANY_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Offset of the call's number in `struct seccomp_data`.
const OFFSET_NUMBER: u32 = 0;
/// Offset of the architecture.
const OFFSET_ARCH: u32 = 4;
/// Offset of the arguments, 8 bytes each, low word first on the architectures we support.
const OFFSET_ARGUMENTS: u32 = 16;

/// A test of one argument's low or both words.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    /// All 64 bits are zero.
    Zero(u32),
    /// The low 32 bits equal the value.
    Equal(u32, u32),
    /// Any of these bits of the low word is set.
    AnySet(u32, u32),
}

/// A program under construction.
#[derive(Debug, Default)]
pub(super) struct Program {
    code: Vec<libc::sock_filter>,
}

impl Program {
    fn push(&mut self, code: u16, k: u32, jt: u8, jf: u8) {
        self.code.push(libc::sock_filter { code, jt, jf, k });
    }

    fn answer(&mut self, action: Action) {
        self.push(RETURN, action.value(), 0, 0);
    }

    /// Refuses calls of other architectures, then loads the call's number. `x32` marks the first
    /// number of a second numbering on the same architecture, refused too.
    pub(super) fn begin(&mut self, arch: u32, x32: Option<u32>) {
        let refuse = Action::Errno(errno(libc::ENOSYS));
        self.push(LOAD, OFFSET_ARCH, 0, 0);
        self.push(JUMP_EQUAL, arch, 1, 0);
        self.answer(refuse);
        self.push(LOAD, OFFSET_NUMBER, 0, 0);
        if let Some(first) = x32 {
            self.push(JUMP_GREATER_EQUAL, first, 0, 1);
            self.answer(refuse);
        }
    }

    /// One answer for a call, whatever its arguments.
    pub(super) fn always(&mut self, number: u32, action: Action) {
        self.push(JUMP_EQUAL, number, 0, 1);
        self.answer(action);
    }

    /// The answer of the first test that holds, else `otherwise`.
    pub(super) fn depends(&mut self, number: u32, tests: &[(Test, Action)], otherwise: Action) {
        let mut block = Program::default();
        for &(test, action) in tests {
            match test {
                Test::Zero(argument) => {
                    block.push(LOAD, OFFSET_ARGUMENTS + 8 * argument, 0, 0);
                    block.push(JUMP_EQUAL, 0, 0, 3);
                    block.push(LOAD, OFFSET_ARGUMENTS + 8 * argument + 4, 0, 0);
                    block.push(JUMP_EQUAL, 0, 0, 1);
                }
                Test::Equal(argument, value) => {
                    block.push(LOAD, OFFSET_ARGUMENTS + 8 * argument, 0, 0);
                    block.push(JUMP_EQUAL, value, 0, 1);
                }
                Test::AnySet(argument, bits) => {
                    block.push(LOAD, OFFSET_ARGUMENTS + 8 * argument, 0, 0);
                    block.push(JUMP_ANY_SET, bits, 0, 1);
                }
            }
            block.answer(action);
        }
        block.answer(otherwise);
        let length = u8::try_from(block.code.len()).expect("a block is short");
        self.push(JUMP_EQUAL, number, 0, length);
        self.code.append(&mut block.code);
    }

    /// The answer for every call not mentioned.
    pub(super) fn finish(mut self, otherwise: Action) -> Vec<libc::sock_filter> {
        self.answer(otherwise);
        self.code
    }
}

/// An error number as the filter returns it.
pub(super) fn errno(value: libc::c_int) -> u16 {
    u16::try_from(value).expect("error numbers are small")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel would, for one call.
    fn run(code: &[libc::sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let word = |offset: u32| match offset {
            OFFSET_NUMBER => number,
            OFFSET_ARCH => arch,
            _ => {
                let index = ((offset - OFFSET_ARGUMENTS) / 8) as usize;
                let high = (offset - OFFSET_ARGUMENTS) % 8 == 4;
                (arguments[index] >> if high { 32 } else { 0 }) as u32
            }
        };
        let (mut at, mut register) = (0, 0);
        loop {
            let step = code[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                LOAD => register = word(step.k),
                JUMP_EQUAL => at += jump(register == step.k),
                JUMP_GREATER_EQUAL => at += jump(register >= step.k),
                JUMP_ANY_SET => at += jump(register & step.k != 0),
                RETURN => return step.k,
                other => panic!("unknown instruction {other}"),
            }
        }
    }

    fn program() -> Vec<libc::sock_filter> {
        let mut program = Program::default();
        program.begin(7, Some(1000));
        let refuse = Action::Errno(1);
        program.depends(5, &[(Test::Zero(4), Action::Allow)], Action::Notify);
        program.depends(
            6,
            &[(Test::Equal(0, 2), Action::Allow), (Test::AnySet(1, 6), refuse)],
            Action::Notify,
        );
        program.always(9, Action::Allow);
        program.finish(Action::Errno(38))
    }

    #[test]
    fn other_architectures_and_numberings_are_refused() {
        let code = program();
        let refused = Action::Errno(errno(libc::ENOSYS)).value();
        assert_eq!(run(&code, 8, 9, [0; 6]), refused);
        assert_eq!(run(&code, 7, 1009, [0; 6]), refused);
        assert_eq!(run(&code, 7, 9, [0; 6]), Action::Allow.value());
        assert_eq!(run(&code, 7, 10, [0; 6]), Action::Errno(38).value());
    }

    #[test]
    fn zero_tests_both_words_of_an_argument() {
        let code = program();
        let with = |value| run(&code, 7, 5, [0, 0, 0, 0, value, 0]);
        assert_eq!(with(0), Action::Allow.value());
        assert_eq!(with(1), Action::Notify.value());
        assert_eq!(with(1 << 32), Action::Notify.value());
    }

    #[test]
    fn the_first_test_that_holds_answers() {
        let code = program();
        let with = |first, second| run(&code, 7, 6, [first, second, 0, 0, 0, 0]);
        assert_eq!(with(2, 4), Action::Allow.value());
        assert_eq!(with(3, 4), Action::Errno(1).value());
        assert_eq!(with(3, 1), Action::Notify.value());
    }
}

//! NVRTC and the driver, loaded at run time: the only place that calls into them.
//!
//! Every call checks lengths before it hands over an address. What a kernel does on the device is
//! not in our hands: memory there holds nothing but what the kernel is given and has to write.
#![expect(unsafe_code, reason = "both libraries are C; their functions are found by name")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

type Pointer = *mut c_void;

/// A library that stays open.
struct Library(Pointer);

impl Library {
    /// The first that is there.
    fn open(names: &[String]) -> Result<Self, String> {
        for name in names {
            let Ok(name) = CString::new(name.as_str()) else { continue };
            // SAFETY: the name ends with a zero; initialisers of the library are its own.
            let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
            if !handle.is_null() {
                return Ok(Self(handle));
            }
        }
        Err(format!("none of {} is there", names.join(", ")))
    }

    /// A function.
    ///
    /// # Safety
    /// `T` must be the type of the function of this name.
    unsafe fn function<T: Copy>(&self, name: &CStr) -> Result<T, String> {
        assert_eq!(size_of::<T>(), size_of::<Pointer>(), "functions are pointers");
        // SAFETY: the library is never closed, the name ends with a zero.
        let found = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if found.is_null() {
            return Err(format!("it lacks `{}`", name.to_string_lossy()));
        }
        // SAFETY: a pointer to a function is a pointer; that the type fits is the caller's promise.
        Ok(unsafe { std::mem::transmute_copy(&found) })
    }
}

macro_rules! functions {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $symbol:literal($($of:ty),*);)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        struct $name { $($field: unsafe extern "C" fn($($of),*) -> c_int,)* }

        impl $name {
            fn of(library: &Library) -> Result<Self, String> {
                // SAFETY: the types are those of the published headers.
                unsafe { Ok(Self { $($field: library.function($symbol)?,)* }) }
            }
        }
    };
}

functions! {
    /// Of NVRTC.
    Compiler {
        version: c"nvrtcVersion"(*mut c_int, *mut c_int);
        create: c"nvrtcCreateProgram"(*mut Pointer, *const c_char, *const c_char, c_int,
            *const *const c_char, *const *const c_char);
        compile: c"nvrtcCompileProgram"(Pointer, c_int, *const *const c_char);
        log_size: c"nvrtcGetProgramLogSize"(Pointer, *mut usize);
        log: c"nvrtcGetProgramLog"(Pointer, *mut u8);
        ptx_size: c"nvrtcGetPTXSize"(Pointer, *mut usize);
        ptx: c"nvrtcGetPTX"(Pointer, *mut u8);
        cubin_size: c"nvrtcGetCUBINSize"(Pointer, *mut usize);
        cubin: c"nvrtcGetCUBIN"(Pointer, *mut u8);
        destroy: c"nvrtcDestroyProgram"(*mut Pointer);
    }
}

functions! {
    /// Of the driver.
    Calls {
        init: c"cuInit"(c_uint);
        device: c"cuDeviceGet"(*mut c_int, c_int);
        device_name: c"cuDeviceGetName"(*mut u8, c_int, c_int);
        attribute: c"cuDeviceGetAttribute"(*mut c_int, c_int, c_int);
        create: c"cuCtxCreate_v2"(*mut Pointer, c_uint, c_int);
        destroy: c"cuCtxDestroy_v2"(Pointer);
        synchronise: c"cuCtxSynchronize"();
        load: c"cuModuleLoadData"(*mut Pointer, *const u8);
        function: c"cuModuleGetFunction"(*mut Pointer, Pointer, *const c_char);
        function_attribute: c"cuFuncSetAttribute"(Pointer, c_int, c_int);
        allocate: c"cuMemAlloc_v2"(*mut u64, usize);
        upload: c"cuMemcpyHtoD_v2"(u64, *const u8, usize);
        download: c"cuMemcpyDtoH_v2"(*mut u8, u64, usize);
        fill: c"cuMemsetD8_v2"(u64, u8, usize);
        launch: c"cuLaunchKernel"(Pointer, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint,
            Pointer, *mut Pointer, *mut Pointer);
    }
}

/// NVRTC.
pub(super) struct Nvrtc {
    calls: Compiler,
    pub(super) version: (i32, i32),
}

/// What NVRTC makes of a text.
pub(super) struct Output {
    pub(super) compiled: bool,
    pub(super) log: String,
    pub(super) ptx: String,
    pub(super) cubin: Vec<u8>,
}

impl Nvrtc {
    pub(super) fn open(names: &[String]) -> Result<Self, String> {
        let calls = Compiler::of(&Library::open(names)?)?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both places live through the call.
        check("nvrtcVersion", unsafe { (calls.version)(&raw mut major, &raw mut minor) })?;
        Ok(Self { calls, version: (major, minor) })
    }

    pub(super) fn compile(&self, source: &str, options: &[String]) -> Result<Output, String> {
        let text = |text: &str| CString::new(text).map_err(|_| "a zero byte".to_owned());
        let source = text(source)?;
        let options = options.iter().map(|each| text(each)).collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<*const c_char> = options.iter().map(|each| each.as_ptr()).collect();
        let mut program = std::ptr::null_mut();
        // SAFETY: texts end with zeros and live through the call; there are no headers.
        check("nvrtcCreateProgram", unsafe {
            (self.calls.create)(
                &raw mut program,
                source.as_ptr(),
                c"kernel.cu".as_ptr(),
                0,
                std::ptr::null(),
                std::ptr::null(),
            )
        })?;
        // SAFETY: the program was created, the list has as many options as are named.
        let code =
            unsafe { (self.calls.compile)(program, pointers.len() as c_int, pointers.as_ptr()) };
        let log = self.take(program, self.calls.log_size, self.calls.log);
        let ptx = self.take(program, self.calls.ptx_size, self.calls.ptx);
        let cubin = self.take(program, self.calls.cubin_size, self.calls.cubin);
        // SAFETY: the program is not used after this.
        unsafe { (self.calls.destroy)(&raw mut program) };
        let plain =
            |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned();
        Ok(Output { compiled: code == 0, log: plain(log?), ptx: plain(ptx?), cubin: cubin? })
    }

    /// A text or file of a program; empty where there is none.
    fn take(
        &self,
        program: Pointer,
        size: unsafe extern "C" fn(Pointer, *mut usize) -> c_int,
        content: unsafe extern "C" fn(Pointer, *mut u8) -> c_int,
    ) -> Result<Vec<u8>, String> {
        let mut bytes = 0;
        // SAFETY: the program exists; the place lives through the call.
        if unsafe { size(program, &raw mut bytes) } != 0 || bytes == 0 {
            return Ok(Vec::new());
        }
        let mut found = vec![0; bytes];
        // SAFETY: as long as was asked for.
        check("nvrtcGet", unsafe { content(program, found.as_mut_ptr()) })?;
        Ok(found)
    }
}

fn check(what: &str, code: c_int) -> Result<(), String> {
    if code == 0 { Ok(()) } else { Err(format!("`{what}` gave error {code}")) }
}

/// A device with a context of its own, which takes everything with it when it ends.
pub(super) struct Context {
    calls: Calls,
    device: c_int,
    handle: Pointer,
}

/// Memory on the device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    address: u64,
    bytes: usize,
}

/// A loaded kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel(Pointer);

impl Context {
    /// A context on the first device.
    pub(super) fn open() -> Result<Self, String> {
        let names = ["libcuda.so.1", "libcuda.so"].map(str::to_owned);
        let calls = Calls::of(&Library::open(&names)?)?;
        let (mut device, mut handle) = (0, std::ptr::null_mut());
        // SAFETY: places live through the calls; the order is the driver's.
        unsafe {
            check("cuInit", (calls.init)(0))?;
            check("cuDeviceGet", (calls.device)(&raw mut device, 0))?;
            check("cuCtxCreate", (calls.create)(&raw mut handle, 0, device))?;
        }
        Ok(Self { calls, device, handle })
    }

    /// The device's name.
    pub(super) fn name(&self) -> Result<String, String> {
        let mut name = [0; 256];
        // SAFETY: as long as is said.
        check("cuDeviceGetName", unsafe {
            (self.calls.device_name)(name.as_mut_ptr(), 256, self.device)
        })?;
        Ok(String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
    }

    /// A number of the device, by the driver's numbering.
    pub(super) fn attribute(&self, attribute: i32) -> Result<i32, String> {
        let mut value = 0;
        // SAFETY: the place lives through the call.
        check("cuDeviceGetAttribute", unsafe {
            (self.calls.attribute)(&raw mut value, attribute, self.device)
        })?;
        Ok(value)
    }

    pub(super) fn allocate(&self, bytes: usize) -> Result<Buffer, String> {
        let mut address = 0;
        // SAFETY: the place lives through the call.
        check("cuMemAlloc", unsafe { (self.calls.allocate)(&raw mut address, bytes.max(1)) })?;
        Ok(Buffer { address, bytes })
    }

    pub(super) fn upload(&self, to: Buffer, from: &[u8]) -> Result<(), String> {
        assert!(from.len() <= to.bytes, "an upload fits");
        // SAFETY: both are at least so long.
        check("cuMemcpyHtoD", unsafe { (self.calls.upload)(to.address, from.as_ptr(), from.len()) })
    }

    pub(super) fn download(&self, from: Buffer) -> Result<Vec<u8>, String> {
        let mut to = vec![0; from.bytes];
        // SAFETY: both are so long.
        check("cuMemcpyDtoH", unsafe {
            (self.calls.download)(to.as_mut_ptr(), from.address, from.bytes)
        })?;
        Ok(to)
    }

    pub(super) fn fill(&self, buffer: Buffer, byte: u8) -> Result<(), String> {
        // SAFETY: the buffer is so long.
        check("cuMemsetD8", unsafe { (self.calls.fill)(buffer.address, byte, buffer.bytes) })
    }

    /// Waits for everything on the device.
    pub(super) fn synchronise(&self) -> Result<(), String> {
        // SAFETY: the context is this thread's.
        check("cuCtxSynchronize", unsafe { (self.calls.synchronise)() })
    }

    /// Kernels of a compiled file, with dynamic shared memory each.
    pub(super) fn load(&self, cubin: &[u8], names: &[(&str, u32)]) -> Result<Vec<Kernel>, String> {
        /// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`.
        const DYNAMIC: c_int = 8;
        if cubin.is_empty() {
            return Err("there is nothing to load".to_owned());
        }
        let mut module = std::ptr::null_mut();
        // SAFETY: a whole file, as the compiler made it.
        check("cuModuleLoadData", unsafe { (self.calls.load)(&raw mut module, cubin.as_ptr()) })?;
        let kernel = |(name, shared_bytes): &(&str, u32)| {
            let name = CString::new(*name).map_err(|_| "a zero byte".to_owned())?;
            let mut found = std::ptr::null_mut();
            // SAFETY: the module is loaded and stays; the name ends with a zero.
            unsafe {
                check(
                    "cuModuleGetFunction",
                    (self.calls.function)(&raw mut found, module, name.as_ptr()),
                )?;
                if *shared_bytes > 48 << 10 {
                    let set =
                        (self.calls.function_attribute)(found, DYNAMIC, *shared_bytes as c_int);
                    check("cuFuncSetAttribute", set)?;
                }
            }
            Ok(Kernel(found))
        };
        names.iter().map(kernel).collect()
    }

    /// Launches a kernel. It must have as many parameters as there are arguments, all of them
    /// pointers: each is a buffer and bytes into it.
    pub(super) fn launch(
        &self,
        kernel: Kernel,
        (grid, block, shared_bytes): ([u32; 3], [u32; 3], u32),
        arguments: &[(Buffer, u64)],
    ) -> Result<(), String> {
        let mut values: Vec<u64> = arguments.iter().map(|(at, by)| at.address + by).collect();
        let mut pointers: Vec<Pointer> =
            values.iter_mut().map(|value| std::ptr::from_mut(value).cast()).collect();
        // SAFETY: the caller has compared the number of parameters; values live through the call,
        // which copies them.
        check("cuLaunchKernel", unsafe {
            (self.calls.launch)(
                kernel.0,
                grid[0],
                grid[1],
                grid[2],
                block[0],
                block[1],
                block[2],
                shared_bytes,
                std::ptr::null_mut(),
                pointers.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context was made here and is not used after this.
        unsafe { (self.calls.destroy)(self.handle) };
    }
}

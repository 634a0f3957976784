# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays of other libraries as the runtime's tensors and back, without copies: NumPy's array interface and DLPack."""
from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_uint8, c_uint16, c_uint64, c_void_p, py_object
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import _library as c

# By the number of ashlar_dtype: name, NumPy's typestr, DLPack's (code, bits).
_DTYPES: List[Tuple[str, Optional[str], Tuple[int, int]]] = [
    ("F32", "<f4", (2, 32)), ("F16", "<f2", (2, 16)), ("BF16", None, (4, 16)), ("F64", "<f8", (2, 64)),
    ("I64", "<i8", (0, 64)), ("I32", "<i4", (0, 32)), ("I8", "|i1", (0, 8)), ("U8", "|u1", (1, 8)),
    ("BOOL", "|b1", (6, 8)), ("I16", "<i2", (0, 16)), ("U16", "<u2", (1, 16)), ("U32", "<u4", (1, 32)),
    ("U64", "<u8", (1, 64)),
]
_BY_TYPESTR = {typestr: number for number, (_, typestr, _) in enumerate(_DTYPES) if typestr}
_BY_DLPACK = {code: number for number, (_, _, code) in enumerate(_DTYPES)}
_CPU = 1
I64 = 4  # of ashlar_dtype


def dtype_name(number: int) -> str:
    return _DTYPES[number][0]


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32), ("code", c_uint8),
        ("bits", c_uint8), ("lanes", c_uint16), ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


class _DLManagedTensor(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, POINTER(_DLManagedTensor))
_DLManagedTensor._fields_ = [("tensor", _DLTensor), ("manager", c_void_p), ("deleter", _Deleter)]

_NAME = b"dltensor"
_Destructor = ctypes.CFUNCTYPE(None, c_void_p)
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = py_object, (c_void_p, c_char_p, _Destructor)
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = c_void_p, (py_object, c_char_p)
# In a destructor the capsule is no object to take a reference to any more.
_dying_is_valid = ctypes.PYFUNCTYPE(c_int32, c_void_p, c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_dying_pointer = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))


class View(NamedTuple):
    """Elements that `owner` keeps: row-major, at the address `data`."""

    dtype: int
    shape: Tuple[int, ...]
    data: int
    owner: Any

    @property
    def bytes(self) -> int:
        count = _DTYPES[self.dtype][2][1] // 8
        for extent in self.shape:
            count *= extent
        return count


def _is_row_major(shape: Sequence[int], strides: Sequence[int], unit: int) -> bool:
    expected = unit
    for extent, stride in zip(reversed(shape), reversed(strides)):
        if extent != 1 and stride != expected:
            return 0 in shape
        expected *= extent
    return True


def _of_array_interface(value: Any, interface: Dict[str, Any], writable: bool) -> View:
    dtype = _BY_TYPESTR.get(interface["typestr"])
    if dtype is None:
        raise TypeError(f"elements of type {interface['typestr']} are not supported")
    shape, strides = tuple(interface["shape"]), interface.get("strides")
    data = interface.get("data")
    if not isinstance(data, tuple):
        raise TypeError("an array interface without an address is not supported")
    if strides is not None and not _is_row_major(shape, strides, _DTYPES[dtype][2][1] // 8):
        if writable:
            raise ValueError("an output array must be contiguous and row-major")
        import numpy

        return view_of(numpy.ascontiguousarray(value))
    if writable and data[1]:
        raise ValueError("an output array must be writable")
    return View(dtype, shape, data[0], value)


def _of_dlpack(value: Any) -> View:
    if value.__dlpack_device__()[0] != _CPU:
        raise ValueError("a tensor on another device; move it to the CPU first")
    capsule = value.__dlpack__()
    tensor = ctypes.cast(_capsule_pointer(capsule, _NAME), POINTER(_DLManagedTensor)).contents.tensor
    dtype = _BY_DLPACK.get((tensor.code, tensor.bits))
    if dtype is None or tensor.lanes != 1:
        raise TypeError(f"DLPack elements of code {tensor.code} and {tensor.bits} bits are not supported")
    shape = tuple(tensor.shape[: tensor.ndim])
    if tensor.strides and not _is_row_major(shape, tensor.strides[: tensor.ndim], 1):
        raise ValueError("a tensor must be contiguous and row-major; call .contiguous() first")
    return View(dtype, shape, (tensor.data or 0) + tensor.byte_offset, capsule)


def view_of(value: Any, writable: bool = False) -> View:
    """The elements of an array or tensor, where they lie; nested lists become a NumPy array first."""
    interface = getattr(value, "__array_interface__", None)
    if interface is not None and not interface["shape"] and not writable:
        import numpy

        value = numpy.asarray(value)  # NumPy's scalars show memory that they do not keep
        interface = value.__array_interface__
    if interface is not None:
        return _of_array_interface(value, interface, writable)
    if hasattr(value, "__dlpack__"):
        return _of_dlpack(value)
    if writable:
        raise TypeError("an output must be an array or a tensor")
    import numpy

    return view_of(numpy.asarray(value))


_exported: Dict[int, Tuple[_DLManagedTensor, Any]] = {}  # what capsules show, until their deleter is called


@_Deleter
def _delete(managed: Any) -> None:
    _exported.pop(ctypes.addressof(managed.contents), None)


@_Destructor
def _destroy_capsule(capsule: int) -> None:
    if _dying_is_valid(capsule, _NAME):  # nobody has taken it
        _exported.pop(_dying_pointer(capsule, _NAME), None)


class Tensor:
    """An output in the session's memory, valid until the session's next step. `numpy.asarray(tensor)` and
    `torch.from_dlpack(tensor)` see it without a copy; `numpy.array(tensor)` keeps it."""

    def __init__(self, name: str, view: View) -> None:
        self.name = name
        self._view = view

    @property
    def shape(self) -> Tuple[int, ...]:
        return self._view.shape

    @property
    def dtype(self) -> str:
        """ "F32", "BF16", "I64", ... """
        return dtype_name(self._view.dtype)

    @property
    def __array_interface__(self) -> Dict[str, Any]:
        typestr = _DTYPES[self._view.dtype][1]
        if typestr is None:
            raise AttributeError(f"NumPy has no {self.dtype}; take the tensor through DLPack")
        return {"version": 3, "shape": self.shape, "typestr": typestr, "data": (self._view.data, True)}

    def __dlpack_device__(self) -> Tuple[int, int]:
        return (_CPU, 0)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: Optional[Tuple[int, int]] = None,
        dl_device: Optional[Tuple[int, int]] = None,
        copy: Optional[bool] = None,
    ) -> Any:
        if dl_device is not None and tuple(dl_device) != self.__dlpack_device__():
            raise BufferError(f"the tensor is on the CPU, not on device {tuple(dl_device)}")
        if copy:
            own = (c_uint8 * self._view.bytes)()
            ctypes.memmove(own, self._view.data, self._view.bytes)
            view = self._view._replace(data=ctypes.addressof(own), owner=own)
            return Tensor(self.name, view).__dlpack__()
        shape = (c_int64 * len(self.shape))(*self.shape)
        code, bits = _DTYPES[self._view.dtype][2]
        tensor = _DLTensor(self._view.data, _CPU, 0, len(self.shape), code, bits, 1, shape, None, 0)
        managed = _DLManagedTensor(tensor, None, _delete)
        address = ctypes.addressof(managed)
        _exported[address] = (managed, (shape, self._view))
        return _new_capsule(address, _NAME, _destroy_capsule)

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}, {self.dtype}, {list(self.shape)})"


def fill(target: c.Tensor, name: Optional[bytes], view: View, shape: Any) -> None:
    """Writes a view into a struct of the C interface; the caller keeps `shape`, an array of c_int64."""
    target.struct_size = ctypes.sizeof(c.Tensor)
    target.name = name
    target.dtype, target.rank = view.dtype, len(view.shape)
    target.shape = ctypes.cast(shape, POINTER(c_int64))
    target.data = view.data
    target.bytes = view.bytes


def of_output(output: c.Tensor, owner: Any) -> Tensor:
    view = View(output.dtype, tuple(output.shape[: output.rank]), output.data or 0, owner)
    return Tensor(output.name.decode(), view)


__all__ = ["I64", "Tensor", "View", "dtype_name", "fill", "of_output", "view_of"]

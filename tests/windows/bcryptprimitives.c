/* The one function that Rust's library wants of a DLL which Wine 8 does not have; for the
 * laboratory. */

#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG num_bytes); // RtlGenRandom
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T num_bytes);

BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T num_bytes)
{
    return SystemFunction036(bytes, (ULONG)num_bytes);
}

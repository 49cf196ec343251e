/*
 * Windows: where the imports of the loaded _ssl lead. Never by the name of a DLL: another program
 * part may have loaded an OpenSSL of the same name, and GetModuleHandle would return that one.
 */

#include "core.h"

#if defined(_WIN32)

#include <windows.h>

#include <string.h>

enum { MAX_MODULES = 8, MAX_PATH_LEN = 4096 };

/* The modules behind _ssl's imports that have functions of OpenSSL: libssl and libcrypto. */
typedef struct imports {
    HMODULE modules[MAX_MODULES];
    size_t num;
} imports;

void *ft_library_find(const void *library, const char *name)
{
    const imports *found = library;
    void *address = NULL;

    for (size_t i = 0; i < found->num && address == NULL; i++) {
        FARPROC function = GetProcAddress(found->modules[i], name);

        memcpy(&address, &function, sizeof address);
    }
    return address;
}

static void add_module_of(imports *to, ULONG_PTR address)
{
    DWORD flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    HMODULE module = NULL;

    // NOLINTNEXTLINE: with this flag the name is an address
    if (!GetModuleHandleExW(flags, (LPCWSTR)address, &module)) {
        return;
    }
    for (size_t i = 0; i < to->num; i++) {
        if (to->modules[i] == module) {
            return;
        }
    }
    if (to->num < MAX_MODULES && (GetProcAddress(module, "TLS_client_method") != NULL ||
                                  GetProcAddress(module, "OpenSSL_version") != NULL)) {
        to->modules[to->num++] = module;
    }
}

/* The loader has filled the table of addresses, and checked the headers, when it loaded the file.
 */
static void follow_imports(HMODULE from, imports *to)
{
    const char *base = (const char *)from;
    const IMAGE_DOS_HEADER *dos = (const void *)base;
    const IMAGE_NT_HEADERS *headers = (const void *)(base + dos->e_lfanew);
    const IMAGE_DATA_DIRECTORY *directory =
        &headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];

    if (directory->VirtualAddress == 0) {
        return;
    }
    const IMAGE_IMPORT_DESCRIPTOR *library = (const void *)(base + directory->VirtualAddress);
    for (; library->Name != 0; library++) {
        const IMAGE_THUNK_DATA *function = (const void *)(base + library->FirstThunk);

        for (; function->u1.Function != 0; function++) {
            add_module_of(to, function->u1.Function);
        }
    }
}

bool ft_library_each(const char *ssl_path, ft_library_try_fn take, void *arg)
{
    WCHAR path[MAX_PATH_LEN];
    imports found = {{NULL}, 0};
    HMODULE module = NULL;

    if (ssl_path == NULL) {
        module = GetModuleHandleW(NULL); // built into the program itself
    } else if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, ssl_path, -1, path,
                                   MAX_PATH_LEN) > 0) {
        module = GetModuleHandleW(path);
    }
    if (module != NULL) {
        follow_imports(module, &found);
    }
    return found.num > 0 && take(&found, arg);
}

bool ft_memory_read(uintptr_t address, void *out_bytes, size_t num_bytes)
{
    DWORD before = GetLastError();
    SIZE_T num_read = 0;
    // NOLINTNEXTLINE: the address is a number until the kernel has looked at it
    BOOL ok =
        ReadProcessMemory(GetCurrentProcess(), (LPCVOID)address, out_bytes, num_bytes, &num_read);

    SetLastError(before);
    return ok && num_read == num_bytes;
}

#endif

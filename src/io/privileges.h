// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the process may do, given up as soon as it is needed no more, for good. Rings and ports are made before the user is
// changed: they may need root, using them does not.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::io {

/// Whom to become.
struct Account {
    std::string name;  // as the host knows it; empty for a number that it does not know
    uid_t user = 0;
    gid_t group = 0;
};

/// "NAME", "NAME:GROUP" or the same in numbers, as the host's user database has them. Root, and a number without a group that
/// the host does not know, are refused. Before there are other threads.
[[nodiscard]] base::Result<Account> find_account(std::string_view text);

/// No program started from here can have more rights than this one (no_new_privs), and none any capability (empty bounding
/// set, as far as we may). What this process has it keeps. For one thread and those it starts: call before there are others.
void forbid_new_privileges();

/// Neither debugger nor core dump nor /proc shows the memory of this process to anybody but root (PR_SET_DUMPABLE).
void hide_memory();

/// Becomes that user for ever, in every thread, with the groups that the host gives it and no capability. A process that
/// already is that user stays as it is. The failure is a sentence; the process should end then.
[[nodiscard]] base::Result<void> become(const Account& account);

[[nodiscard]] bool is_root();

}  // namespace spillway::io

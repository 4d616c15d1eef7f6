// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/format.h"
#include "base/log.h"

namespace spillway::io {
namespace {

using base::concat;
using base::fail;

std::optional<std::uint32_t> number_of(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    // The largest one is no id: system calls take it for "leave as it is".
    if (error != std::errc{} || end != text.data() + text.size() || value == UINT32_MAX) return std::nullopt;
    return value;
}

std::string quoted(std::string_view text) { return concat('\'', base::log::escaped(text, 64), '\''); }

std::optional<gid_t> find_group(const std::string& name) {
    const group* found = ::getgrnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): before there are threads
    if (found != nullptr) return found->gr_gid;
    return number_of(name);
}

/// Takes every capability from the calling thread, inherited ones too.
bool drop_capabilities() {
    __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    return ::syscall(SYS_capset, &header, none) == 0;
}

base::Result<void> cannot(const Account& account, std::string_view step) {
    return fail(concat("cannot become user ", account.user, ":", account.group, " (", step, ": ", std::strerror(errno),
                       "): --user works for root alone"));
}

}  // namespace

base::Result<Account> find_account(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::string name(text.substr(0, colon));
    Account account;
    const passwd* known = ::getpwnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): before there are threads
    const auto number = number_of(name);
    if (known == nullptr && number) known = ::getpwuid(*number);  // NOLINT(concurrency-mt-unsafe)
    if (known != nullptr) {
        account = {.name = known->pw_name, .user = known->pw_uid, .group = known->pw_gid};
    } else if (number && colon != std::string_view::npos) {
        account.user = *number;
    } else {
        return fail(concat("--user: this host knows no user ", quoted(name),
                           number ? "; a number it does not know needs a group: USER:GROUP" : ""));
    }
    if (colon != std::string_view::npos) {
        const std::string group(text.substr(colon + 1));
        const auto found = find_group(group);
        if (!found) return fail(concat("--user: this host knows no group ", quoted(group)));
        account.group = *found;
    }
    if (account.user == 0) return fail("--user: root is what it is to be no longer");
    return account;
}

void forbid_new_privileges() {
    static_cast<void>(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    static_cast<void>(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
        static_cast<void>(::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
}

void hide_memory() { static_cast<void>(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)); }

base::Result<void> become(const Account& account) {
    if (::geteuid() == account.user && ::getuid() == account.user && ::getegid() == account.group) return {};
    // The C library does each of the three in every thread.
    const int groups =
        account.name.empty() ? ::setgroups(1, &account.group) : ::initgroups(account.name.c_str(), account.group);
    if (groups != 0) return cannot(account, "setgroups");
    if (::setresgid(account.group, account.group, account.group) != 0) return cannot(account, "setresgid");
    if (::setresuid(account.user, account.user, account.user) != 0) return cannot(account, "setresuid");
    if (!drop_capabilities()) return cannot(account, "capset");
    if (::setresuid(0, 0, 0) == 0) return fail("cannot give up root: it can be had back");
    return {};
}

bool is_root() { return ::geteuid() == 0; }

}  // namespace spillway::io

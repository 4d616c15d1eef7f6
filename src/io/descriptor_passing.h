// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Records with descriptors between two processes of one host (unix(7): SOCK_SEQPACKET, SCM_RIGHTS). Names are of the abstract
// namespace, which belongs to the network namespace as ports do, and vanish with the last socket.
//
// Thread: any one. Nothing here blocks but wait_readable().
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "io/descriptor.h"

namespace spillway::io {

/// Of one record: bytes, and descriptors (the kernel's SCM_MAX_FD).
inline constexpr std::size_t kRecordMax = 8192;
inline constexpr std::size_t kRecordDescriptorsMax = 253;

struct Record {
    std::string text;
    std::vector<Descriptor> descriptors;  // close on exec
};

/// over: the other side has closed, and nothing is left to read. malformed: a record, but one that we do not take whole.
enum class Receipt { record, nothing_yet, malformed, over };

/// Who is at the other end: of a connection that was accepted, the process that connected; of one that connected, the
/// process that called listen() last.
struct LocalPeer {
    pid_t pid = 0;
    uid_t uid = 0;
};

/// Listens at this name (at most 100 bytes), without blocking. The failure is a sentence with the cause.
[[nodiscard]] base::Result<Descriptor> listen_local(std::string_view name);
/// Whoever calls from now on sees this process and its user as those who listen, with whom the socket was another's before.
void listen_as_ourselves(const Descriptor& listener);
/// Somebody who called; nothing if nobody waits.
[[nodiscard]] Descriptor accept_local(const Descriptor& listener);
/// Calls that name. Holds nothing if nobody listens there.
[[nodiscard]] Descriptor connect_local(std::string_view name);
[[nodiscard]] std::optional<LocalPeer> peer_of(const Descriptor& connection);

/// Sends a record whole or not at all: false when the other side is gone or does not read.
[[nodiscard]] bool send_record(const Descriptor& connection, std::string_view text,
                               std::span<const int> descriptors = {});
[[nodiscard]] Receipt receive_record(const Descriptor& connection, Record& record);

/// Until there is something to read, or the end of the connection: false when the time is up.
[[nodiscard]] bool wait_readable(const Descriptor& connection, base::Duration at_most);

}  // namespace spillway::io

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Proves on the running kernel, over a loopback connection, what the whole fan-out relies on: that a batch of sends
// reports exactly its exceptions. Documentation does not promise it for every kernel, and a wrong guess loses data.
#pragma once

#include <string>

#include "io/ring.h"

namespace spillway::io {

/// Runs on the thread that started `ring`, which has nothing else under way; leaves nothing behind. Returns what did
/// not hold, empty if all did. Takes a few milliseconds, two seconds at the worst.
[[nodiscard]] std::string self_test(Ring& ring);

/// The same for the end of receives of a ring whose receive_limit is `limit`, more than two of its buffers of `buffer` bytes:
/// whether each ends with the piece that reaches the limit, and nothing is lost. No kernel before 6.17 knows of it.
[[nodiscard]] bool ends_receives(Ring& ring, std::size_t limit, std::size_t buffer);

}  // namespace spillway::io

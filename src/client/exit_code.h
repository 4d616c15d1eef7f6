// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How a companion ends, for scripts; 2 is a command line that was not understood.
#pragma once

namespace spillway::client {

inline constexpr int kDone = 0;         // as asked; Ctrl-C and a reader that goes are no fault
inline constexpr int kUnreachable = 1;  // no connection, or it was lost
inline constexpr int kRefused = 3;      // the server said no: key, signature, channel, or an event

}  // namespace spillway::client

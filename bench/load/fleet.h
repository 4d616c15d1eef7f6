// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The subscriber processes as a whole: forked once, told how many clients to hold, ended by the board or by pid.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "board.h"
#include "options.h"

namespace spillway::load {

class Fleet {
public:
    Fleet(const Options& options, Board& board);
    Fleet(const Fleet&) = delete;
    Fleet& operator=(const Fleet&) = delete;
    ~Fleet();

    /// Waits until exactly `clients` are subscribed; false, with a line on stderr, when some cannot be or it takes too long.
    bool hold(std::uint32_t clients);

private:
    const Options& options_;
    Board& board_;
    std::vector<pid_t> pids_;
};

/// Pins this process: place 0 is the publisher's, 1 and up the subscribers'.
void pin(const Options& options, std::size_t place);

/// One line on stderr that replaces the one before; an empty text ends it.
void progress(const std::string& text);

}  // namespace spillway::load

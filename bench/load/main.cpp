// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// spillway-load: reads like the list of what it can do.

#include <cstdio>
#include <vector>

#include "options.h"
#include "report.h"
#include "scenario.h"

namespace {

using namespace spillway::load;

int idle(const Options& options) {
    const auto outcome = play_idle(options);
    if (!outcome) return 2;
    print(*outcome);
    return options.json_file.empty() || write_json(options.json_file, *outcome) ? 0 : 2;
}

int broadcasts(const Options& options) {
    std::vector<Outcome> outcomes;
    const char* title = options.mode == Mode::closed ? "closed loop" : "open loop";
    std::vector<Options> parts{options};
    if (options.against_single) {
        parts.push_back(options);
        parts.back().channels = 1;
        parts.back().layout = Layout::even;
    }
    bool as_promised = true;
    for (const Options& part : parts) {
        const auto outcome = play_broadcasts(part, title);
        if (!outcome) return 2;
        print(*outcome);
        as_promised = as_promised && outcome->as_promised();
        outcomes.push_back(*outcome);
    }
    if (options.against_single) {
        std::printf("one channel costs %.2f times what %u channels cost (p50 of a broadcast)\n",
                    outcomes[1].completion.percentile_ms(0.5) / outcomes[0].completion.percentile_ms(0.5),
                    options.channels);
    }
    if (!options.json_file.empty() && !write_json(options.json_file, outcomes)) return 2;
    return as_promised ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = read_options(argc, argv);
    if (!options) {
        std::fprintf(options.error().empty() ? stdout : stderr, "%s\n",
                     options.error().empty() ? help_text() : options.error().c_str());
        return options.error().empty() ? 0 : 2;
    }
    return options->idle != 0 ? idle(*options) : broadcasts(*options);
}

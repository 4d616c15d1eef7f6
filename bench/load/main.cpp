// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// spillway-load: reads like the list of what it can do.

#include <cstdio>
#include <string>
#include <vector>

#include "named.h"
#include "options.h"
#include "plot.h"
#include "report.h"
#include "scenario.h"

namespace {

using namespace spillway::load;

template <class Outcome>
int told(const Options& options, const Outcome& outcome) {
    if (!outcome) return 2;
    print(*outcome);
    return options.json_file.empty() || write_json(options.json_file, *outcome) ? 0 : 2;
}

std::string title_of(const Options& options) {
    if (!options.scenario.empty()) return options.scenario;
    switch (options.mode) {
        case Mode::open: return "open loop";
        case Mode::flood: return "flood";
        case Mode::search: return "search";
        default: return "closed loop";
    }
}

/// Over many channels and over one, in turn.
int against_single(Options options) {
    std::vector<Outcome> outcomes;
    std::vector<double> ratios;
    bool as_promised = true;
    const std::uint32_t repeats = options.repeats;
    options.repeats = 1;
    Options single = options;
    single.channels = 1;
    single.layout = Layout::even;
    for (std::uint32_t n = 0; n < repeats; ++n) {
        for (const Options& part : {options, single}) {
            const auto outcome = play_broadcasts(part, title_of(options));
            if (!outcome) return 2;
            print(*outcome);
            as_promised = as_promised && outcome->as_promised();
            outcomes.push_back(*outcome);
        }
        const std::size_t last = outcomes.size() - 1;
        ratios.push_back(outcomes[last].completion.percentile_ms(0.5) /
                         outcomes[last - 1].completion.percentile_ms(0.5));
    }
    std::printf("one channel costs %.3f times what %u channels cost (p50 of a broadcast, median of %u)\n",
                median(ratios), options.channels, repeats);
    if (!options.json_file.empty() && !write_json(options.json_file, outcomes)) return 2;
    return as_promised ? 0 : 1;
}

int broadcasts(const Options& options) {
    const auto outcome = play_broadcasts(options, title_of(options));
    if (!outcome) return 2;
    print(*outcome);
    if (!options.json_file.empty() && !write_json(options.json_file, std::vector<Outcome>{*outcome})) return 2;
    if (!options.plot_file.empty() && !write_plot(options.plot_file, *outcome)) return 2;
    return outcome->as_promised() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = read_options(argc, argv);
    if (!options) {
        const Refusal& refusal = options.error();
        const bool asked = refusal.sentence.empty();
        const std::string text = !asked ? refusal.sentence + "\n" : refusal.list ? list_text() : help_text();
        std::fputs(text.c_str(), asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    switch (options->mode) {
        case Mode::idle: return told(*options, play_idle(*options));
        case Mode::connect: return told(*options, play_connects(*options));
        case Mode::lone: return told(*options, play_lone(*options));
        default: return options->against_single ? against_single(*options) : broadcasts(*options);
    }
}

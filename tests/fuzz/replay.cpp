// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Stands in for libFuzzer in ordinary builds: gives a fuzz target every file of its corpus, then a fixed number of
// changed inputs from a fixed seed. A finding ends the program by an assertion or a sanitizer.
// Usage: <target>_replay CORPUS-FOLDER CHANGED-INPUTS

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::uint32_t kSeed = 1;
constexpr std::size_t kInputBytesMax = 4096;

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

std::vector<std::string> read_corpus(const char* folder) {
    std::vector<std::filesystem::path> paths;
    if (std::filesystem::is_directory(folder)) {
        for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    std::vector<std::string> inputs{""};
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return inputs;
}

/// One to eight changes, each of them small: a byte replaced, removed, inserted, or a piece of another input put in.
std::string changed(std::string input, const std::vector<std::string>& corpus, Random& random) {
    for (std::size_t changes = 1 + below(random, 8); changes > 0; --changes) {
        const std::size_t at = below(random, input.size() + 1);
        const char byte = static_cast<char>(below(random, 256));
        switch (below(random, 4)) {
            case 0:
                if (at < input.size()) input[at] = byte;
                break;
            case 1: input.erase(at, 1 + below(random, 4)); break;
            case 2: input.insert(at, 1 + below(random, 4), byte); break;
            default: {
                const std::string& other = corpus[below(random, corpus.size())];
                input.insert(at, other.substr(below(random, other.size() + 1), 64));
            }
        }
    }
    input.resize(std::min(input.size(), kInputBytesMax));
    return input;
}

void give(const std::string& input) {
    static_cast<void>(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s CORPUS-FOLDER CHANGED-INPUTS\n", argv[0]);
        return 2;
    }
    try {
        const int changes = std::stoi(argv[2]);
        const std::vector<std::string> corpus = read_corpus(argv[1]);
        for (const std::string& input : corpus) give(input);
        Random random(kSeed);
        for (int i = 0; i < changes; ++i) give(changed(corpus[below(random, corpus.size())], corpus, random));
        std::printf("%zu inputs of the corpus and %d changed ones replayed\n", corpus.size(), changes);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch_test_macros.hpp>

namespace spillway::io {
namespace {

namespace fs = std::filesystem;

class Folder {
public:
    Folder() : path_(fs::temp_directory_path() / ("spillway-unix-" + std::to_string(::getpid()))) {
        fs::remove_all(path_);
        fs::create_directory(path_);
    }
    ~Folder() { fs::remove_all(path_); }
    [[nodiscard]] std::string name(const std::string& file) const { return (path_ / file).string(); }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
    }

private:
    fs::path path_;
};

bool connects(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

TEST_CASE("listens on a Unix socket with its permissions, and takes its name along") {
    const Folder folder;
    const std::string path = folder.name("s");
    {
        const auto listener = UnixListener::open(path, 0640, 3);
        REQUIRE(listener);
        CHECK(listener->sockets.size() == 3);
        CHECK(connects(path));
        struct stat status = {};
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0640);
        CHECK(folder.files() == 1);
    }
    CHECK(folder.files() == 0);
}

TEST_CASE("a socket left behind is taken over, one on which somebody listens is not") {
    const Folder folder;
    const std::string path = folder.name("s");
    auto first = UnixListener::open(path, 0600, 1);
    REQUIRE(first);
    const auto second = UnixListener::open(path, 0600, 1);
    REQUIRE_FALSE(second);
    CHECK(second.error() == "cannot listen on unix:" + path + ": pid " + std::to_string(::getpid()) + " listens there");
    CHECK(connects(path));
    first->leave_name();
    first->sockets.clear();  // as by a crash
    CHECK(folder.files() == 1);
    CHECK_FALSE(connects(path));
    const auto third = UnixListener::open(path, 0600, 1);
    REQUIRE(third);
    CHECK(connects(path));
    CHECK(folder.files() == 1);
}

TEST_CASE("the name that a predecessor left goes once it was taken, unless it leads elsewhere by then") {
    const Folder folder;
    const std::string path = folder.name("s");
    const auto leave = [&path] {
        auto gone = UnixListener::open(path, 0600, 1);
        REQUIRE(gone);
        gone->leave_name();
    };
    leave();
    {
        const auto failed = UnixListener::abandoned(path);
    }
    CHECK(folder.files() == 1);
    {
        auto taken = UnixListener::abandoned(path);
        taken.take_name();
    }
    CHECK(folder.files() == 0);
    leave();
    auto late = UnixListener::abandoned(path);
    const auto another = UnixListener::open(path, 0600, 1);
    REQUIRE(another);
    late.take_name();
    late = {};
    CHECK(connects(path));
    std::ofstream(folder.name("file")) << "no socket";
    auto file = UnixListener::abandoned(folder.name("file"));
    file.take_name();
    file = UnixListener::abandoned(folder.name("none"));
    CHECK(folder.files() == 2);
}

TEST_CASE("a successor has the predecessor's name once it took it, and only then takes it along") {
    const Folder folder;
    const std::string path = folder.name("s");
    auto first = UnixListener::open(path, 0600, 1);
    REQUIRE(first);
    CHECK(first->owns_name());
    const auto copy = [&] { return Descriptor(::dup(first->sockets[0].get())); };
    {
        const auto failed = UnixListener::inherit(copy(), path, 0600, 2);
    }
    CHECK(connects(path));
    {
        auto second = UnixListener::inherit(copy(), path, 0640, 2);
        REQUIRE(second);
        CHECK(second->sockets.size() == 2);
        second->take_name();
        first->leave_name();
        first->sockets.clear();
        CHECK(connects(path));
        struct stat status = {};
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0640);
    }
    CHECK(folder.files() == 0);
    CHECK_FALSE(UnixListener::inherit(Descriptor(), path, 0600, 1));
}

TEST_CASE("what is no socket is left alone") {
    const Folder folder;
    const std::string path = folder.name("precious");
    std::ofstream(path) << "data";
    const auto refused = UnixListener::open(path, 0600, 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().ends_with("there is something else of that name, which is no socket"));
    CHECK(fs::file_size(path) == 4);
    CHECK(folder.files() == 1);
    CHECK_FALSE(UnixListener::open(folder.name("no/such/folder"), 0600, 1));
}

TEST_CASE("a name that somebody else has by now is not removed") {
    const Folder folder;
    const std::string path = folder.name("s");
    {
        const auto first = UnixListener::open(path, 0600, 1);
        REQUIRE(first);
        fs::remove(path);
        std::ofstream(path) << "another's";
    }
    CHECK(fs::exists(path));
}

TEST_CASE("of starters that race for a stale socket exactly one gets it") {
    const Folder folder;
    const std::string path = folder.name("s");
    for (int round = 0; round < 50; ++round) {
        {
            auto stale = UnixListener::open(path, 0600, 1);
            REQUIRE(stale);
            stale->leave_name();
        }
        // Processes, because the name on its way holds the number of one.
        std::array<pid_t, 4> starters = {};
        int gate[2];
        int held[2];
        REQUIRE(::pipe(gate) == 0);
        REQUIRE(::pipe(held) == 0);
        for (pid_t& starter : starters) {
            starter = ::fork();
            if (starter != 0) continue;
            ::close(gate[1]);
            char byte = 0;
            static_cast<void>(::read(gate[0], &byte, 1));  // until it is closed
            auto mine = UnixListener::open(path, 0600, 1);
            static_cast<void>(::write(held[1], mine ? "1" : "0", 1));
            ::close(held[1]);
            if (mine) ::pause();
            ::_exit(0);
        }
        ::close(gate[1]);
        int won = 0;
        for (std::size_t i = 0; i < starters.size(); ++i) {
            char byte = 0;
            REQUIRE(::read(held[0], &byte, 1) == 1);
            won += byte == '1' ? 1 : 0;
        }
        CHECK(won == 1);
        CHECK(connects(path));
        for (const pid_t starter : starters) {
            ::kill(starter, SIGKILL);
            ::waitpid(starter, nullptr, 0);
        }
        for (const int fd : {gate[0], held[0], held[1]}) ::close(fd);
        fs::remove(path);
    }
}

}  // namespace spillway::io

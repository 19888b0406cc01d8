/* Connects to the Unix socket at argv[1] and prints what comes. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    char text[256];
    if (argc < 2) return 2;
    strncpy(to.sun_path, argv[1], sizeof to.sun_path - 1);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(s, (void *)&to, sizeof to) < 0) { perror("connect"); return 1; }
    long n;
    while ((n = read(s, text, sizeof text)) > 0) fwrite(text, 1, n, stdout);
    return 0;
}

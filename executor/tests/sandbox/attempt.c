/* Attempts system calls, one for each argument, `NUMBER[,VALUE…]`, and prints what came of each: 0, the error's number, or
 * the negative number of a signal. A value is a number, `z` for the address of a page of zeros, or `@TEXT` for that of a
 * text. After `x` the number is one of 32-bit x86, and takes numbers only. Each attempt is made by a child of its own. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char zeros[65536];

static long attempt(char *text)
{
    int is_32_bit = *text == 'x';
    long number = strtol(text + is_32_bit, &text, 0), value[6] = {0};
    for (int i = 0; *text == ',' && i < 6; i++) {
        text++;
        if (*text == 'z') {
            value[i] = (long)zeros;
            text++;
        } else if (*text == '@') {
            char *end = strchrnul(++text, ',');
            value[i] = (long)strndup(text, end - text);
            text = end;
        } else {
            value[i] = strtol(text, &text, 0);
        }
    }
    if (is_32_bit) {
#ifdef __x86_64__
        long result = number;
        __asm__ volatile("int $0x80" : "+a"(result) : "b"(value[0]), "c"(value[1]), "d"(value[2]) : "r8", "r9", "r10", "r11", "memory");
        return result < 0 ? -result : 0;
#else
        return 0;
#endif
    }
    return syscall(number, value[0], value[1], value[2], value[3], value[4], value[5]) == -1 ? errno : 0;
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(attempt(arguments[i]));
        waitpid(child, &status, 0);
        printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
        fflush(stdout);
    }
    return 0;
}

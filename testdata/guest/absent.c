// K1: calls each number that is given with an errno and says where the errno is another.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
	for (int i = 1; i + 1 < argc; i += 2) {
		errno = 0;
		long ret = syscall(atoi(argv[i]), -1L, -1L, -1L, -1L, -1L, -1L);
		if (ret != -1 || errno != atoi(argv[i + 1]))
			printf("system call %s gives %ld, errno %d, not %s\n", argv[i], ret, errno, argv[i + 1]);
	}
	return 0;
}

/* Integer kernels for the benchmark. Each runs for ever. */
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;

/* First in the image, so that the entry point is its first byte. */
static void kernel(void);
void _start(void)
{
	for (;;)
		kernel();
}

static u32 table[4096];
static u8 bytes[65536];
static volatile u64 sink;

#if KERNEL == 1 /* recursive calls */
__attribute__((noinline)) static u64 fib(u64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
__attribute__((noinline)) static void kernel(void) { sink += fib(20); }
#elif KERNEL == 2 /* sieve */
__attribute__((noinline)) static void kernel(void)
{
	for (u32 i = 0; i < sizeof bytes; i++)
		bytes[i] = 1;
	for (u32 i = 2; i < 256; i++)
		if (bytes[i])
			for (u32 j = i * i; j < sizeof bytes; j += i)
				bytes[j] = 0;
}
#elif KERNEL == 3 /* CRC by table: shifts and dependent loads */
__attribute__((noinline)) static void kernel(void)
{
	u32 crc = ~0u;
	for (u32 i = 0; i < 4096; i++)
		table[i] ^= i * 2654435761u;
	for (u32 i = 0; i < sizeof bytes; i++)
		crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
	sink = crc;
}
#elif KERNEL == 4 /* sorting: compares and branches that are hard to predict */
__attribute__((noinline)) static void kernel(void)
{
	u32 x = 12345;
	for (u32 i = 0; i < 4096; i++)
		table[i] = x = x * 1664525 + 1013904223;
	for (u32 gap = 2048; gap; gap /= 2)
		for (u32 i = gap; i < 4096; i++) {
			u32 v = table[i], j = i;
			for (; j >= gap && table[j - gap] > v; j -= gap)
				table[j] = table[j - gap];
			table[j] = v;
		}
}
#elif KERNEL == 5 /* a byte code interpreter: indirect jumps */
static const u8 program[] = { 0, 1, 2, 3, 1, 2, 0, 4 };
__attribute__((noinline)) static void kernel(void)
{
	u64 acc = 0, n = 10000;
	const u8 *pc = program;
	for (;;)
		switch (*pc++) {
		case 0: acc += n; break;
		case 1: acc ^= acc << 3; break;
		case 2: acc -= n * 5; break;
		case 3: acc = (acc >> 7) | (acc << 57); break;
		case 4:
			if (--n == 0) {
				sink = acc;
				return;
			}
			pc = program;
			break;
		case 5: acc = ~acc; break;
		case 6: acc |= 1; break;
		}
}
#endif


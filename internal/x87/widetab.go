package x87

// Constants of the transcendental functions, correct to 128 bits.
var (
	wideOne    = wide{hi: intBit}
	wideLn2    = wide{exp: -1, hi: 0xb17217f7d1cf79ab, lo: 0xc9e3b39803f2f6af}
	wideLog2e  = wide{exp: 0, hi: 0xb8aa3b295c17f0bb, lo: 0xbe87fed0691d3e89}
	widePi     = wide{exp: 1, hi: 0xc90fdaa22168c234, lo: 0xc4c6628b80dc1cd1}
	wideHalfPi = wide{exp: 0, hi: 0xc90fdaa22168c234, lo: 0xc4c6628b80dc1cd1}
)

// wideAtan[i] is the arc tangent of i/16.
var wideAtan = [17]wide{
	{},
	{exp: -5, hi: 0xffaaddb967ef4e36, lo: 0xcb2792dc0e2e0d51},
	{exp: -4, hi: 0xfeadd4d5617b6e32, lo: 0xc897989f3e888ef8},
	{exp: -3, hi: 0xbdcbda5e72d81134, lo: 0x7b0b4f881c9c7488},
	{exp: -3, hi: 0xfadbafc96406eb15, lo: 0x6dc79ef5f7a217e6},
	{exp: -2, hi: 0x9b13b9b83f5e5e69, lo: 0xc5abb498d27af328},
	{exp: -2, hi: 0xb7b0ca0f26f78473, lo: 0x8aa32122dcfe4483},
	{exp: -2, hi: 0xd327761e611fe5b6, lo: 0x427c95e9001e7136},
	{exp: -2, hi: 0xed63382b0dda7b45, lo: 0x6fe445ecbc3a8d03},
	{exp: -1, hi: 0x832bf4a6d9867e2a, lo: 0x4b6a09cb61a515c1},
	{exp: -1, hi: 0x8f005d5ef7f59f9b, lo: 0x5c835e1665c43748},
	{exp: -1, hi: 0x9a2f80e671bdda20, lo: 0x4226f8e2204ff3bd},
	{exp: -1, hi: 0xa4bc7d1934f70924, lo: 0x19a87f2a457dac9f},
	{exp: -1, hi: 0xaeac4c38b4d8c080, lo: 0x14725e2f3e52070a},
	{exp: -1, hi: 0xb8053e2bc2319e73, lo: 0xcb2da55210a4443d},
	{exp: -1, hi: 0xc0ce85b8ac526640, lo: 0x89dd62c46e92fa25},
	{exp: -1, hi: 0xc90fdaa22168c234, lo: 0xc4c6628b80dc1cd1},
}

"use strict";
(() => {
	const told = document.getElementById("told");
	let lit = [];

	/* All that stands for the same bytes, in the same map. */
	const twins = (element) => {
		const map = element.closest(".map"), key = element.dataset.k;
		return map && key ? [...map.querySelectorAll('[data-k="' + CSS.escape(key) + '"]')] : [];
	};

	const darken = () => {
		for (const element of lit) {
			element.classList.remove("lit");
			element.closest("svg")?.classList.remove("dim");
		}
		lit = [];
		told.textContent = "";
	};

	const light = (element) => {
		darken();
		lit = twins(element);
		for (const twin of lit) {
			twin.classList.add("lit");
			twin.closest("svg")?.classList.add("dim");
		}
		/* Titles stand in the boxes alone: one for the file, one for each place in memory. */
		told.textContent = lit.map((twin) => twin.querySelector("title")?.textContent)
			.filter(Boolean).join("\n");
	};

	const keyed = (event) => event.target instanceof Element && event.target.closest("[data-k]");

	document.addEventListener("pointerover", (event) => {
		const element = keyed(event);
		if (element)
			light(element);
	});
	document.addEventListener("focusin", (event) => {
		const element = keyed(event);
		if (element)
			light(element);
		else
			darken();
	});

	/* One stop for the Tab key in each picture; arrows go on from there. */
	for (const svg of document.querySelectorAll("svg[role=group]"))
		svg.querySelector("a.i")?.setAttribute("tabindex", "0");

	const go = (from, to) => {
		if (!to)
			return;
		from.setAttribute("tabindex", "-1");
		to.setAttribute("tabindex", "0");
		to.focus();
	};

	/* In a picture the boxes of the file stand before those of the memory. */
	const isFile = (box) => /b\d+$/.test(box.id);

	document.addEventListener("keydown", (event) => {
		const box = event.target instanceof Element && event.target.closest("a.i");
		if (event.key === "Escape")
			darken();
		if (!box || event.altKey || event.ctrlKey || event.metaKey)
			return;
		const all = [...box.closest("svg").querySelectorAll("a.i")];
		const column = all.filter((other) => isFile(other) === isFile(box));
		const at = column.indexOf(box);
		const across = () => all.find((other) => isFile(other) !== isFile(box) &&
			other.dataset.k && other.dataset.k === box.dataset.k);
		const ways = {
			ArrowDown: () => column[at + 1], ArrowUp: () => column[at - 1],
			Home: () => column[0], End: () => column[column.length - 1],
			ArrowLeft: across, ArrowRight: across,
		};
		if (!(event.key in ways))
			return;
		event.preventDefault();
		go(box, ways[event.key]());
	});

	/* What a link leads to can be folded away. */
	const unfold = () => {
		const target = location.hash && document.getElementById(location.hash.slice(1));
		if (!target)
			return;
		for (let at = target.closest("details"); at; at = at.parentElement.closest("details"))
			at.open = true;
		target.scrollIntoView({ block: "center" });
		if (target.matches("a.i"))
			target.focus({ preventScroll: true });
	};
	addEventListener("hashchange", unfold);
	unfold();

	/* On paper nothing can be unfolded. */
	let folded = [];
	addEventListener("beforeprint", () => {
		folded = [...document.querySelectorAll("details:not([open])")];
		for (const details of folded)
			details.open = true;
	});
	addEventListener("afterprint", () => {
		for (const details of folded)
			details.open = false;
	});
})();

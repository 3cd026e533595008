// What the page does beyond showing: a filter for names, opening what is linked to. Everything can
// be read without it.
(() => {
    "use strict";
    const sections = [...document.querySelectorAll("details.bench")];
    const input = document.querySelector(".filter input");
    const openLinked = () => {
        const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
        if (target && target.matches("details.bench")) {
            target.open = true;
            target.scrollIntoView();
        }
    };
    if (input) {
        document.querySelector(".filter").hidden = false;
        input.addEventListener("input", () => {
            const wanted = input.value.toLowerCase().replaceAll("::", "/");
            for (const section of sections) {
                const name = section.dataset.name.toLowerCase().replaceAll("::", "/");
                section.hidden = !name.includes(wanted);
            }
        });
        document.querySelector(".filter button").addEventListener("click", () => {
            const open = !sections.every((section) => section.open || section.hidden);
            for (const section of sections) {
                section.open = open;
            }
        });
    }
    addEventListener("hashchange", openLinked);
    openLinked();
})();

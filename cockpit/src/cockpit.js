// The library that Cockpit gives to every page (../base1/cockpit.js).
export default window.cockpit;
